// Package program builds and describes init programs.
//
// An init program is what Coracle runs inside a container: a flat list of ops, packed with their
// strings and buffers into a static ELF image of a few KiB. The image also holds the interpreter,
// about a hundred instructions of assembly that are copied from coracle's own text. The runtime
// executes the image from a sealed memfd; the last op is the execve that turns it into the user's
// process. Coracle brings no Go runtime, no heap and no second thread into the container.
//
// An [Op] is one system call with up to six arguments, a rule for its result,
// and optionally a place to store it:
//
//   - an argument is a constant, the address of something in the image, or the
//     32-bit word found at an address (see [Word]), which is how the result of
//     one op becomes the argument of a later one;
//   - a result in the op's list of allowed errors continues with the next op
//     or at a label; EINTR is retried; any other error ends the program with a
//     report {op, errno} on the failure descriptor;
//   - a successful result may be stored as a 32-bit word.
//
// Three pseudo-ops work on words: [Builder.Check] compares, [Builder.Set] assigns and
// [Builder.Add] adds; [Builder.Jump] goes to a label. The interpreter has no allocation, no
// function call and no relocation, and behaves the same on every architecture.
//
// On the host side every op has a [Note] that says what the op is for and which part of the
// configuration caused it. Notes never enter the image; they turn a report {op, errno} into a
// sentence, and a program into a listing.
//
// The package knows nothing of containers.
package program
