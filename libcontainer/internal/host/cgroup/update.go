package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
)

// Update changes the given limits and no others. Device rules stay unless devices is set; then
// the new rules replace all former ones.
//
// When a part fails, Update restores what it changed before.
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
				return texts(p.warnings), fault.About(resourcesPointer+".devices", "%s.devices: %w", resourcesPointer, err)
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
	// Last, because device rules that cannot be read cannot be restored.
	if err == nil && devices {
		err = m.updateDevices(rules, list)
		if err != nil && m.unlessRefused(err) == nil {
			p.warn("devices", "rules for devices are for the superuser of the host; in this user namespace they are not applied")
			err = nil
		}
	}
	if err != nil {
		m.Interrupt = nil // restoring must not be interrupted
		failed := m.rollBack(undos)
		if failed == nil && told {
			failed = m.updateScope(formerOf(undos))
		}
		if failed != nil {
			err = fmt.Errorf("%w; and the former limits could not all be restored: %w", err, failed)
		}
	}
	return texts(p.warnings), err
}

// updateDevices replaces the device rules, or leaves them unchanged on an error.
func (m *Manager) updateDevices(rules []deviceRule, list deviceList) error {
	if m.saved.Unified {
		return m.setDevices(rules, list, false) // all at once
	}
	dir := m.saved.Paths["devices"]
	if dir == "" && m.lacksDevices() {
		return fault.About(resourcesPointer+".devices", "%s.devices: %w", resourcesPointer, os.ErrPermission)
	}
	former, err := deviceListOf(dir)
	if err != nil {
		return fault.About(resourcesPointer+".devices", "%s.devices: %w", resourcesPointer, err)
	}
	if err := m.setDevices(rules, list, false); err != nil {
		if m.unlessRefused(err) == nil {
			return err // unchanged
		}
		if !former.allow { // otherwise nobody knows its exceptions
			_ = m.setDevices(nil, former, false)
		}
		return err
	}
	return nil
}

// rollBack restores the old values, the latest first.
func (m *Manager) rollBack(undos []undo) error {
	var failed error
	for range 2 { // values that depend on each other may need a second round
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

// formerOf returns the settings that undos restore.
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
