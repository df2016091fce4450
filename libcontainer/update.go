package libcontainer

import (
	"context"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/host/cgroup"
	"coracle/libcontainer/internal/host/rdt"
	"coracle/libcontainer/internal/oci/bundle"
)

// UpdateOptions are the options of Update.
type UpdateOptions struct {
	// Resources has the limits to change. Limits that are missing, or 0, stay unchanged.
	Resources specs.LinuxResources
	// Devices replaces the device rules by those in Resources. Otherwise the rules stay
	// unchanged, because engines send rules with every update.
	Devices bool
	// Schemata are lines for the container's Intel RDT class, such as "L3:0=f".
	Schemata []string
}

// Update changes limits of a container: all of them or, when one fails, none. The error wraps
// [ErrNotRunning] for a stopped container.
func (c *Container) Update(ctx context.Context, o UpdateOptions) (err error) {
	defer explain(&err, c.id, "update")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return err
	}
	defer interrupt.Close()
	if problems := bundle.ValidateResources(&o.Resources); len(problems) > 0 {
		return problems[0].Facts().Errorf("update container %q: %s", c.id, problems[0].Sentence())
	}
	dir, s, err := c.lock(interrupt)
	if err != nil {
		return err
	}
	defer dir.Close()
	if s == specs.StateStopped {
		return fmt.Errorf("cannot update: %w", c.notRunning(nil))
	}
	if m := o.Resources.Memory; m != nil && m.CheckBeforeUpdate == nil {
		// The configuration may have asked for it in all updates.
		spec, err := specOf(dir)
		if err != nil {
			return err
		}
		if l := spec.Linux; l != nil && l.Resources != nil && l.Resources.Memory != nil {
			withCheck := *m
			withCheck.CheckBeforeUpdate = l.Resources.Memory.CheckBeforeUpdate
			o.Resources.Memory = &withCheck
		}
	}
	restore := func() error { return nil }
	if len(o.Schemata) > 0 {
		if c.record.Rdt == nil {
			return fault.About("linux.intelRdt", "update container %q: it has no Intel RDT class of its own (linux.intelRdt)", c.id)
		}
		if restore, err = rdt.Load(*c.record.Rdt).Update(o.Schemata); err != nil {
			return fmt.Errorf("update container %q: %w", c.id, err)
		}
	}
	group := cgroup.Load(c.record.Cgroup)
	group.Interrupt = interrupt
	warnings, err := group.Update(&o.Resources, o.Devices)
	for _, w := range warnings {
		c.runtime.warn("%s", w)
	}
	if err != nil {
		if failed := restore(); failed != nil {
			err = fmt.Errorf("%w; and the former schemata could not be restored: %w", err, failed)
		}
		return fmt.Errorf("update container %q: %w", c.id, c.orNotRunning(err))
	}
	c.runtime.trace("limits set")
	return nil
}
