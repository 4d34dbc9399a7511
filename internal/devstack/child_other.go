//go:build unix && !linux

package devstack

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attributes gives a child its own process group. These systems have no parent-death
// signal: what a killed supervisor leaves behind is found at the next start.
func attributes(spec childSpec) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: spec.account}
}

// startOf tells when a process started, as ps says it; it is empty where none runs.
func startOf(pid int) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
