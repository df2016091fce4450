package cgroup

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hugepages plans linux.resources.hugepageLimits (config-linux.md#huge-page-limits): a limit for
// reserved and a limit for used pages.
func (p *plan) hugepages(limits []specs.LinuxHugepageLimit) {
	suffix := ".limit_in_bytes"
	if p.unified("hugetlb") {
		suffix = ".max"
	}
	for i, h := range limits {
		pointer := fmt.Sprintf("hugepageLimits[%d]", i)
		if !isPageSize(h.Pagesize) {
			p.fail(pointer+".pageSize", "%q is not a size of pages like 64KB, 2MB or 1GB", h.Pagesize)
			return
		}
		prefix := "hugetlb." + h.Pagesize
		p.add(pointer, "hugetlb", utoa(h.Limit), prefix+suffix)
		p.add(pointer, "hugetlb", utoa(h.Limit), prefix+".rsvd"+suffix).needless = true // since Linux 5.7
	}
}

// isPageSize reports whether s is a number with a unit. It becomes part of a file name.
func isPageSize(s string) bool {
	digits, ok := strings.CutSuffix(s, "B")
	if !ok || len(digits) < 2 {
		return false
	}
	unit := digits[len(digits)-1]
	digits = digits[:len(digits)-1]
	return strings.ContainsRune("KMG", rune(unit)) && strings.Trim(digits, "0123456789") == "" && digits[0] != '0'
}
