package protocol

import "encoding/binary"

// At [PointCopyUp] the runtime gives orders, one by one, until [OrderEnd]: it walks the trees, and
// the program makes the files, so that the container's cgroups are charged with them.
//
// An order is {kind, number, name, target}: two numbers of 32 bits, and two strings with NUL. A
// descriptor comes along. Each but [OrderTo] and OrderEnd is answered with [ValueResult].
type OrderKind uint32

const (
	// OrderEnd: nothing more is to be done.
	OrderEnd OrderKind = iota
	// OrderMakeDir makes a directory with this name and the number as its mode in that of the
	// descriptor.
	OrderMakeDir
	// OrderMakeNode makes a file or fifo with the number as its mode.
	OrderMakeNode
	// OrderMakeLink makes a symbolic link that leads to the target.
	OrderMakeLink
	// OrderTo brings the file that the next bytes go to.
	OrderTo
	// OrderCopy copies as many bytes as the number says from the file of the descriptor. The
	// result is how many there were.
	OrderCopy
)

// OrderSize is the size of an order in bytes; OrderName and OrderTarget are where its strings are.
const (
	OrderSize   = OrderTarget + 4096
	OrderName   = 8
	OrderTarget = OrderName + 256
)

// EncodeOrder returns an order as the program takes it; ok is false when a string is too long.
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
