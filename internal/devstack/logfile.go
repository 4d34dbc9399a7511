package devstack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Tail is the last n lines of a file, none where it cannot be read.
func Tail(path string, n int) []string {
	f, err := os.Open(path) //nolint:gosec // a log file of ours
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	const most = 64 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil
		}
	}
	raw, err := io.ReadAll(io.LimitReader(f, most))
	raw = bytes.TrimSpace(raw)
	if err != nil || len(raw) == 0 {
		return nil
	}
	lines := strings.Split(string(raw), "\n")
	return lines[max(0, len(lines)-n):]
}

// rotate moves what a log file holds to path.1 once it is larger than limit bytes. The
// process keeps its open file, so the content is copied and the file cut; a line written
// in between may be lost.
func rotate(path string, limit int64) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= limit {
		return nil
	}
	if err != nil {
		return fmt.Errorf("devstack: rotate: %w", err)
	}
	if err := copyFile(path, path+".1"); err != nil {
		return err
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("devstack: rotate: %w", err)
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from) //nolint:gosec // a log file of ours
	if err != nil {
		return fmt.Errorf("devstack: rotate: %w", err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // a log file of ours
	if err != nil {
		return fmt.Errorf("devstack: rotate: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
