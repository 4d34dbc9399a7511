package devstack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// serverAccount is the account under which Postgres runs when we are root, which it
// refuses to be: `postgres`, or `nobody` where that is not there. It is nil for an
// ordinary user, who runs it as himself.
func serverAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("devstack: account %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("devstack: Postgres does not run as root, and there is no account `postgres` to run it under")
}

// makeDir makes a folder that only we can read. When we are root, servers under other
// accounts may pass through it, without seeing what else is in it.
func makeDir(dir string) error {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	_, err := os.Stat(dir)
	if err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	return os.Chmod(dir, mode)
}

// logFile is where a server's output goes: chosen, or in its folder.
func logFile(chosen, dir, name string) string {
	if chosen != "" {
		return chosen
	}
	return filepath.Join(dir, name+".log")
}

const locationFile = "location" // in the folder of a server: where its data is instead

// home is where a server under another account keeps its data: dir, or, where that
// account cannot enter dir (a checkout under a closed home folder), a folder of the
// system, which is recorded in dir and said on out.
func home(ctx context.Context, dir, program string, account *syscall.Credential, out io.Writer) (string, error) {
	if account == nil || canEnter(ctx, dir, program, account) {
		return dir, nil
	}
	raw, err := os.ReadFile(filepath.Join(dir, locationFile)) //nolint:gosec // a file of ours
	if at := strings.TrimSpace(string(raw)); err == nil && canEnter(ctx, at, program, account) {
		return at, nil
	}
	sum := sha256.Sum256([]byte(dir))
	for _, base := range []string{"/var/lib", os.TempDir()} {
		at := filepath.Join(base, "wedsync-"+hex.EncodeToString(sum[:6]))
		// Nothing points to it any more when dir was cleaned: it is of no use to anyone.
		if err := os.RemoveAll(at); err != nil || makeDir(at) != nil || !canEnter(ctx, at, program, account) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, locationFile), []byte(at+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("devstack: %w", err)
		}
		_, _ = fmt.Fprintf(out, "note: the account that runs Postgres cannot enter %s; its data is in %s\n", dir, at)
		return at, nil
	}
	return "", fmt.Errorf("devstack: the account that runs Postgres can enter neither %s nor a folder under /var/lib or %s", dir, os.TempDir())
}

// canEnter tries it: it runs program in dir as account.
func canEnter(ctx context.Context, dir, program string, account *syscall.Credential) bool {
	cmd := exec.CommandContext(ctx, program, "--version")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	return cmd.Run() == nil
}

// password is 192 random bits in hexadecimal digits, which no URL needs to escape.
func password() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// writeFileAtomic replaces a file so that a reader sees the old content or the new.
func writeFileAtomic(path string, content []byte, mode fs.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("devstack: write %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
		}
	}()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
