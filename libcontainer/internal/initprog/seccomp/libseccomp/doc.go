// Package libseccomp compiles profiles with the C library of that name, for a comparison
// with package seccomp. It is for tests only, and empty without the build tag libseccomp.
package libseccomp
