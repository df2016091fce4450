package linux

import "golang.org/x/sys/unix"

// FD is a file descriptor or none. The zero FD is none.
type FD struct{ next int } // the number plus 1

// NewFD returns an FD for a number; a negative number gives none.
func NewFD(n int) FD { return FD{max(n, -1) + 1} }

// Int returns the number, -1 for none.
func (f FD) Int() int { return f.next - 1 }

// Exists reports whether there is a descriptor.
func (f FD) Exists() bool { return f.next > 0 }

// Close closes the descriptor, if there is one, and makes the FD none.
func (f *FD) Close() {
	if f.Exists() {
		unix.Close(f.Int())
		*f = FD{}
	}
}

// Take returns the FD and sets f to none: the caller now has to close it.
func (f *FD) Take() FD {
	taken := *f
	*f = FD{}
	return taken
}
