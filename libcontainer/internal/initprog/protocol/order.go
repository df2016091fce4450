package protocol

import "encoding/binary"

// At [PointCopyUp] the runtime sends orders, one by one, until [OrderEnd]: it walks the trees,
// and the program creates the files, so that the container's cgroups are charged for them.
//
// An order is {kind, number, name, target}: two numbers of 32 bits, and two strings with NUL. A
// descriptor comes along, but for OrderEnd. Each but that and [OrderTo] is answered with
// [ValueResult].
type OrderKind uint32

const (
	// OrderEnd: nothing more is to be done. [Acknowledgement] is this order.
	OrderEnd OrderKind = iota
	// OrderMakeDir makes a directory with this name and the number as its mode in that of the
	// descriptor.
	OrderMakeDir
	// OrderMakeNode creates a file or FIFO; the number is its mode.
	OrderMakeNode
	// OrderMakeLink creates a symbolic link to the target.
	OrderMakeLink
	// OrderTo carries the file for the next bytes.
	OrderTo
	// OrderCopy copies up to as many bytes as the number says from the descriptor's file. The
	// result is how many were copied.
	OrderCopy
)

// OrderSize is the size of an order in bytes; OrderName and OrderTarget are the offsets of its
// strings.
const (
	OrderSize   = OrderTarget + 4096
	OrderName   = 8
	OrderTarget = OrderName + 256
)

// EncodeOrder returns an order in its wire format; ok is false when a string is too long.
func EncodeOrder(kind OrderKind, number uint32, name, target string) (order []byte, ok bool) {
	if len(name) >= OrderTarget-OrderName || len(target) >= OrderSize-OrderTarget {
		return nil, false
	}
	order = make([]byte, OrderSize)
	binary.LittleEndian.PutUint32(order, uint32(kind))
	binary.LittleEndian.PutUint32(order[4:], number)
	copy(order[OrderName:], name)
	copy(order[OrderTarget:], target)
	return order, true
}
