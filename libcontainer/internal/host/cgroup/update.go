package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/linux"
)

// Update changes the limits that are given, and no others. Rules for devices are left alone
// unless devices is set; they replace all former ones then.
//
// When a part fails, what was changed before is changed back.
func (m *Manager) Update(r *specs.LinuxResources, devices bool) (warnings []string, err error) {
	p := m.newPlan()
	if p.resources(r); p.err != nil {
		return texts(p.warnings), p.err
	}
	var rules []deviceRule
	var list deviceList
	if devices {
		rules = deviceRules(r.Devices)
		if !m.saved.Unified {
			if list, err = listOf(rules); err != nil {
				return texts(p.warnings), fmt.Errorf("%s.devices: %w", resourcesPointer, err)
			}
		}
	}
	if m.Disabled() && (len(p.settings) > 0 || devices) {
		return texts(p.warnings), errDisabled
	}
	undos, err := m.apply(p.settings, true)
	if err == nil {
		err = m.checkCpuset(p.settings)
	}
	if err == nil {
		err = m.updateScope(p.settings)
	}
	told := err == nil
	// Last: what nobody can ask the kernel for cannot be brought back.
	if err == nil && devices {
		err = m.updateDevices(rules, list)
		if err != nil && m.unlessRefused(err) == nil {
			p.warn("devices", "rules for devices are for the superuser of the host; in this user namespace they are not applied")
			err = nil
		}
	}
	if err != nil {
		m.Interrupt = nil // what is half done is undone
		failed := m.rollBack(undos)
		if failed == nil && told {
			failed = m.updateScope(formerOf(undos))
		}
		if failed != nil {
			err = fmt.Errorf("%w; and the former limits could not all be brought back: %w", err, failed)
		}
	}
	return texts(p.warnings), err
}

// updateDevices replaces the rules for devices, or leaves them as they are.
func (m *Manager) updateDevices(rules []deviceRule, list deviceList) error {
	if m.saved.Unified {
		return m.setDevices(rules, list, false) // all at once
	}
	dir := m.saved.Paths["devices"]
	if dir == "" && m.lacksDevices() {
		return fmt.Errorf("%s.devices: %w", resourcesPointer, os.ErrPermission)
	}
	former, err := deviceListOf(dir)
	if err != nil {
		return fmt.Errorf("%s.devices: %w", resourcesPointer, err)
	}
	if err := m.setDevices(rules, list, false); err != nil {
		if m.unlessRefused(err) == nil {
			return err // nothing has changed
		}
		if !former.allow { // otherwise nobody knows its exceptions
			_ = m.setDevices(nil, former, false)
		}
		return err
	}
	return nil
}

// rollBack writes the old values again, latest first.
func (m *Manager) rollBack(undos []undo) error {
	var failed error
	for range 2 { // values that depend on one another may need a second round
		failed = nil
		for _, u := range slices.Backward(undos) {
			err := linux.Write(u.path, u.value)
			if err != nil && u.instead != "" {
				err = linux.Write(u.path, u.instead)
			}
			if err != nil {
				failed = err
			}
		}
		if failed == nil {
			return nil
		}
	}
	return failed
}

// formerOf are the settings that undos stand for.
func formerOf(undos []undo) (settings []setting) {
	for _, u := range slices.Backward(undos) {
		file, value := filepath.Base(u.path), u.value
		if u.instead != "" {
			value = u.instead
		}
		controller, _, _ := strings.Cut(file, ".")
		settings = append(settings, setting{controller: controller, files: []string{file}, value: value})
	}
	return settings
}
