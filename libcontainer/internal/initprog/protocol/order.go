package protocol

import "encoding/binary"

// At [PointCopyUp] the runtime sends orders, one by one, until [OrderEnd]: it walks the trees,
// and the program creates the files, so that the container's cgroups are charged for them.
//
// An order is {kind, number, name, target}: two numbers of 32 bits, and two NUL-terminated
// strings, with a descriptor. The program answers each with [ValueResult], except [OrderTo] and
// OrderEnd.
type OrderKind uint32

const (
	// OrderEnd: there is nothing more to do.
	OrderEnd OrderKind = iota
	// OrderMakeDir creates a directory with this name in the descriptor's directory; the number
	// is its mode.
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
