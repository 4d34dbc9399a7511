//go:build unix && !linux

package devstack

import "syscall"

// attributes gives a child its own process group. These systems have no parent-death
// signal: what a killed supervisor leaves behind is found at the next start.
func attributes(spec childSpec) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: spec.account}
}
