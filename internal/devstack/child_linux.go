package devstack

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// attributes gives a child its own process group, so that Ctrl-C in the terminal reaches
// the supervisor alone, and asks the kernel to signal it when we die.
func attributes(spec childSpec) *syscall.SysProcAttr {
	lost := spec.lostSignal
	if lost == 0 {
		lost = syscall.SIGKILL
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: lost, Credential: spec.account}
}

// startOf tells when a process started, in some text that no other process of the same
// number has; it is empty where none runs, and for one that only waits to be reaped.
func startOf(pid int) string {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// pid (name) state ppid …: the name may hold anything, so count from its end. The
	// state is field 3, the start in ticks since the system's start field 22.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot)) + ":" + string(fields[19])
}
