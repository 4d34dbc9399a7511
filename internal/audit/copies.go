package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Copier keeps checkpoints where who can write to the database cannot.
type Copier interface {
	// Copy keeps a note under a name with slashes; the same again changes nothing.
	Copy(ctx context.Context, name, signed string) error
}

// copyName is where the checkpoint of a time is kept: a folder for each day.
func copyName(at time.Time) string { return at.UTC().Format("2006/01/02/150405.000000") + ".note" }

// NewCopier copies to a folder (on another machine's disk, or one that is shipped there), or
// by HTTP PUT below an address.
func NewCopier(to string) (Copier, error) {
	if to == "" {
		return nil, nil //nolint:nilnil // nowhere is an answer
	}
	if u, err := url.Parse(to); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return address(strings.TrimSuffix(to, "/")), nil
	}
	return folder(to), nil
}

// requeue has the notes of the last while copied again, once after a start: a process that was
// killed may have signed some and not copied them. A copy that is there stays as it is.
func (a *Anchor) requeue(ctx context.Context, tx pgx.Tx) error {
	if a.looked || a.copies == nil {
		return nil
	}
	while := idleStreams
	if _, remote := a.copies.(address); remote {
		while = time.Hour // each is a call
	}
	rows, err := tx.Query(ctx, `SELECT at, note FROM audit_checkpoints WHERE at > clock_timestamp() - $1::interval ORDER BY at`, while)
	if err != nil {
		return err
	}
	var at time.Time
	var signed string
	_, err = pgx.ForEachRow(rows, []any{&at, &signed}, func() error { a.waiting[copyName(at)] = signed; return nil })
	a.looked = err == nil
	return err
}

type folder string

// Copy writes a file, once: what is there is never written over.
func (f folder) Copy(_ context.Context, name, signed string) error {
	path := filepath.Join(string(f), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("audit.Copy: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // below the configured folder, a name of ours
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit.Copy: %w", err)
	}
	_, err = file.WriteString(signed)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("audit.Copy: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

type address string

// Copy puts a note; the server decides who may, by an address that is hard to guess or by
// where the call comes from.
func (a address) Copy(ctx context.Context, name, signed string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, string(a)+"/"+name, strings.NewReader(signed))
	if err != nil {
		return errors.New("audit.Copy: the address is not one")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the address may hold a secret
		}
		return fmt.Errorf("audit.Copy: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
	_ = res.Body.Close()
	if there := res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusPreconditionFailed; res.StatusCode/100 != 2 && !there {
		return fmt.Errorf("audit.Copy: the server answered %s", res.Status)
	}
	return nil
}

// readCopies gives the notes of a folder from a time on, oldest first.
func readCopies(dir string, from time.Time) ([]string, error) {
	var names []string
	first := copyName(from)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		if err == nil && strings.HasSuffix(name, ".note") && (from.IsZero() || name >= first) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("checkpoints: %w", err)
	}
	slices.Sort(names)
	notes := make([]string, len(names))
	for i, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))) //nolint:gosec // below the folder that the caller named
		if err != nil {
			return nil, fmt.Errorf("checkpoints: %w", err)
		}
		notes[i] = string(b)
	}
	return notes, nil
}
