package libcontainer

import "context"

// Run creates a container and starts it. This is faster than [Runtime.Create] followed by
// [Container.Start], because the process need not wait in between. When Run fails, nothing is
// left behind.
//
// The process is a child of this process, which has to wait for it; see [Container.Pid].
func (r *Runtime) Run(ctx context.Context, id string, o CreateOptions) (_ *Container, err error) {
	defer explain(&err, id, "run")
	interrupt, err := interruptOf(ctx)
	if err != nil {
		return nil, err
	}
	defer interrupt.Close()
	o.starts = true
	n, err := r.create(id, o, interrupt)
	if err != nil {
		return nil, err
	}
	defer n.close()
	if err := n.container.start(n); err != nil {
		n.unlock()
		r.deleteAfter(id)
		return nil, err
	}
	return n.container, nil
}

// deleteAfter deletes a container after a failure that the caller reports.
func (r *Runtime) deleteAfter(id string) {
	if err := r.forceDelete(id, nil); err != nil {
		r.warn("%v", err)
	}
}
