package devstack

import "syscall"

// attributes gives a child its own process group, so that Ctrl-C in the terminal reaches
// the supervisor alone, and asks the kernel to signal it when we die.
func attributes(spec childSpec) *syscall.SysProcAttr {
	lost := spec.lostSignal
	if lost == 0 {
		lost = syscall.SIGKILL
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: lost, Credential: spec.account}
}
