package devstack

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// portsTried is how many ports from the preferred one on are looked at.
const portsTried = 50

// Port gives the port of a name: the one it had on the last start, else the preferred
// one, else the next that is free; preferred 0 asks for any. A port that somebody else
// holds is told with who holds it. What was given is remembered for the next start.
func (s *Stack) Port(name string, preferred int) (int, error) {
	remembered := map[string]int{}
	if err := readJSON(s.path(portsFile), &remembered); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.say("note: the ports of the last start are forgotten: %v", err)
		remembered = map[string]int{}
	}
	port, taken, err := s.choose(name, remembered[name], preferred)
	if err != nil {
		return 0, err
	}
	if taken != 0 {
		s.say("note: port %d is taken by %s; %s uses %d", taken, s.holder(taken), name, port)
	}
	s.mu.Lock()
	s.handed[port] = name
	s.mu.Unlock()
	if remembered[name] == port {
		return port, nil
	}
	remembered[name] = port
	return port, writeJSON(s.path(portsFile), remembered)
}

// choose finds the port, and the first that it would have been, where that is taken.
func (s *Stack) choose(name string, before, preferred int) (port, taken int, err error) {
	candidates := []int{before}
	if preferred != 0 {
		for i := range portsTried {
			candidates = append(candidates, preferred+i)
		}
	}
	for _, c := range candidates {
		switch {
		case c <= 0 || c > 65535:
		case s.free(c):
			return c, taken, nil
		case taken == 0:
			taken = c
		}
	}
	for range 10 {
		if port, err = FreePort(); err != nil || s.free(port) {
			return port, taken, err
		}
	}
	return 0, taken, fmt.Errorf("devstack: no free port for %s", name)
}

// free says whether nobody listens on a port of loopback, nor was given it by us.
func (s *Stack) free(port int) bool {
	s.mu.Lock()
	_, ours := s.handed[port]
	s.mu.Unlock()
	if ours {
		return false
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// holder names who listens on a port.
func (s *Stack) holder(port int) string {
	s.mu.Lock()
	name, ours := s.handed[port]
	s.mu.Unlock()
	if ours {
		return name + " of this stack"
	}
	sockets := listeners(port)
	if pid := ownerOf(sockets); pid != 0 {
		comm, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), pid)
	}
	for _, uid := range sockets { // whose process it is, may be seen by all
		if u, err := user.LookupId(uid); err == nil {
			return "a process of " + u.Username
		}
	}
	return "another process"
}

// listeners are the sockets that listen on a port and the users who own them, by Linux's
// tables; none where there are no such tables.
func listeners(port int) map[string]string {
	const listening = "0A"
	found := map[string]string{}
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table) //nolint:gosec // a constant
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
			f := strings.Fields(lines.Text())
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == listening {
				found["socket:["+f[9]+"]"] = f[7]
			}
		}
		_ = f.Close()
	}
	return found
}

// ownerOf is the process that holds one of some sockets, 0 where we cannot see it.
func ownerOf(sockets map[string]string) int {
	if len(sockets) == 0 {
		return 0
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, d := range descriptors {
		target, err := os.Readlink(d)
		if _, ours := sockets[target]; err == nil && ours {
			pid, _ := strconv.Atoi(strings.Split(d, "/")[2])
			return pid
		}
	}
	return 0
}
