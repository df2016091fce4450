package rdt

import (
	"fmt"
	"strconv"
	"strings"
)

// schema is a line of a schemata file: a resource and a value for each of its domains,
// "L3:0=7f0;1=1f".
type schema struct {
	resource string
	values   map[string]string
}

// parseSchema reads a line. Values are compared as the kernel understands them, so
// capacity masks lose their leading zeros.
func parseSchema(line string) (schema, error) {
	resource, list, ok := strings.Cut(strings.TrimSpace(line), ":")
	s := schema{strings.TrimSpace(resource), make(map[string]string)}
	if !ok {
		return s, fmt.Errorf("%q has no resource with a colon", line)
	}
	for part := range strings.SplitSeq(list, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		domain, value, ok := strings.Cut(part, "=")
		if !ok {
			return s, fmt.Errorf("%q is not DOMAIN=VALUE", part)
		}
		s.values[strings.TrimSpace(domain)] = s.normalize(strings.TrimSpace(value))
	}
	return s, nil
}

// normalize writes a value in one way: bandwidths are decimal, masks hexadecimal.
func (s *schema) normalize(value string) string {
	base := 16
	if strings.HasPrefix(s.resource, "MB") || strings.HasPrefix(s.resource, "SMBA") {
		base = 10
	}
	if base == 16 {
		value = strings.TrimPrefix(strings.ToLower(value), "0x")
	}
	n, err := strconv.ParseUint(value, base, 64)
	if err != nil {
		return value
	}
	return strconv.FormatUint(n, base)
}

// differs describes how the schemata of a group differ from a schema; it is empty when they do
// not. The schema may name some of the domains.
func differs(wanted, schemata string) (string, error) {
	w, err := parseSchema(wanted)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(schemata) {
		have, err := parseSchema(line)
		if err != nil || have.resource != w.resource {
			continue
		}
		for domain, value := range w.values {
			if have.values[domain] != value {
				return fmt.Sprintf("it has %q", strings.TrimSpace(line)), nil
			}
		}
		return "", nil
	}
	return "it has no " + w.resource, nil
}
