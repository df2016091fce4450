package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/linux"
)

// setDeviceList applies a device list to a cgroup of v1. In a cgroup with processes it writes
// only the differences, so that no device that is kept is denied in between.
func setDeviceList(dir string, l deviceList, fresh bool) error {
	var old deviceList
	sameKind := false
	if !fresh {
		var err error
		if old, err = deviceListOf(dir); err != nil {
			return err
		}
		sameKind = !old.allow && !l.allow
	}
	except, unexcept := "devices.allow", "devices.deny"
	if l.allow {
		except, unexcept = unexcept, except
	}
	if !sameKind {
		old.exceptions = nil
		err := linux.Write(filepath.Join(dir, unexcept), "a")
		if errors.Is(err, unix.EINVAL) && fresh {
			// The cgroup has cgroups below it, so only exceptions can change.
			return setDeviceList(dir, l, false)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range l.exceptions {
		if slices.Contains(old.exceptions, e) {
			continue
		}
		err := linux.Write(filepath.Join(dir, except), e.String())
		if errors.Is(err, unix.EPERM) && isAlwaysAllowed(e) {
			continue // denied by a parent cgroup, and not asked for
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
	}
	for _, e := range old.exceptions {
		// Write the remainder of an exception that was larger once more.
		i := slices.IndexFunc(l.exceptions, func(n deviceException) bool { return n.devices == e.devices })
		if i >= 0 {
			e.access &^= l.exceptions[i].access
		}
		if e.access != 0 {
			if err := linux.Write(filepath.Join(dir, unexcept), e.String()); err != nil {
				return fmt.Errorf("%s: %w", e, err)
			}
		}
	}
	return nil
}

func isAlwaysAllowed(e deviceException) bool {
	return slices.Contains(alwaysAllowed, deviceRule{e.devices, e.access, true})
}

// deviceListOf reads the list of a cgroup. The kernel shows an allowing list without its
// exceptions.
func deviceListOf(dir string) (deviceList, error) {
	file := filepath.Join(dir, "devices.list")
	content, err := linux.ReadFollow(file, 1<<20)
	if err != nil {
		return deviceList{}, err
	}
	l, err := parseDeviceList(string(content))
	if err != nil {
		return l, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// parseDeviceList parses devices.list.
func parseDeviceList(content string) (deviceList, error) {
	var l deviceList
	for line := range strings.Lines(content) {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		if len(fields) != 3 || len(fields[0]) != 1 {
			return l, fmt.Errorf("malformed line %q", line)
		}
		if fields[0][0] == anyType {
			l.allow = true
			continue
		}
		major, minor, _ := strings.Cut(fields[1], ":")
		e := deviceException{devices: devices{typ: fields[0][0]}, access: parseAccess(fields[2])}
		var err error
		if e.major, err = parseNumber(major); err == nil {
			e.minor, err = parseNumber(minor)
		}
		if err != nil {
			return l, fmt.Errorf("malformed line %q", line)
		}
		l.exceptions = append(l.exceptions, e)
	}
	return l, nil
}

func parseNumber(s string) (int64, error) {
	if s == "*" {
		return anyNumber, nil
	}
	return strconv.ParseInt(s, 10, 64)
}
