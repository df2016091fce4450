//go:build !amd64 && !arm64

package program

// Coracle has an interpreter for init programs on amd64 and arm64 only. To
// support another architecture, write interp_GOARCH.s.
var _ = coracle_supports_only_amd64_and_arm64
