package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wedsync/scalability/models"
)

// Defaults and bounds of a Writer.
const (
	defaultConnections = 2
	defaultQueue       = 4096
	defaultTimeout     = 5 * time.Second
	maxBatch           = 512
)

// Options configure a Writer.
type Options struct {
	URL         string        // of Postgres, as the application's role
	Process     string        // who writes, e.g. "api-1"; the subject of the row level security scope
	Connections int           // of its own, so that no other query can starve it; zero is 2
	Queue       int           // entries that may wait; zero is 4096
	Log         *slog.Logger  // nil discards
	Timeout     time.Duration // that Record waits at most; zero is 5 s
	// OnBatch hears of each commit: entries, duration, error. It must not block; may be nil.
	OnBatch func(n int, took time.Duration, err error)
}

// Writer commits entries in groups: those that arrive while a commit is under way are
// committed together by the next, so that the commits do not grow with the callers. It
// is safe for concurrent use.
type Writer struct {
	pool     *pgxpool.Pool
	opts     Options
	maxBatch int

	life    context.Context // of the commits; ends only when Close may wait no longer
	end     context.CancelFunc
	workers sync.WaitGroup
	failing atomic.Bool

	mu     sync.RWMutex // guards the closing of queue
	closed bool
	queue  chan pending
}

// pending is an entry whose caller waits.
type pending struct {
	row  row
	done chan error // has room, so that nobody waits for a caller that left
}

// Open connects and starts the writer. It fails when Postgres is away, the migrations
// were not made or the role may not write entries: a process that cannot audit must not
// start.
func Open(ctx context.Context, o Options) (*Writer, error) {
	o = o.withDefaults()
	pool, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	return start(pool, o, maxBatch), nil
}

// start begins to commit.
func start(pool *pgxpool.Pool, o Options, maxBatch int) *Writer {
	w := &Writer{pool: pool, opts: o, maxBatch: maxBatch, queue: make(chan pending, o.Queue)}
	w.life, w.end = context.WithCancel(context.Background())
	for range o.Connections {
		w.workers.Go(w.run)
	}
	return w
}

// Record returns once the entry is committed. ID and At are filled in where they are
// zero; texts are bounded and cleaned. An error is KindUnavailable: Postgres is away or
// did not take the entry, the queue is full (at once), the writer is closed, or ctx or
// Timeout ended. In the last case, as when the connection broke, the entry may still be
// committed: the log then says more than was answered, never less.
func (w *Writer) Record(ctx context.Context, e models.AuditEntry) error {
	r, err := newRow(e, time.Now())
	if err != nil {
		return models.Unavailable("audit.Record", err)
	}
	p := pending{row: r, done: make(chan error, 1)}
	if err := w.enqueue(p); err != nil {
		return models.Unavailable("audit.Record", err)
	}
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	select {
	case err = <-p.done:
	case <-ctx.Done():
		err = fmt.Errorf("not committed in time: %w", ctx.Err())
	}
	if err != nil {
		return models.Unavailable("audit.Record", err)
	}
	return nil
}

// Close takes no more entries, commits those that wait, and ends the connections. When
// ctx ends first the rest fails, as each of their callers is told.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	flushed := make(chan struct{})
	go func() { w.workers.Wait(); close(flushed) }()
	var err error
	select {
	case <-flushed:
	case <-ctx.Done():
		err = models.Unavailable("audit.Close", ctx.Err())
	}
	w.end()
	<-flushed
	w.pool.Close()
	return err
}

func (w *Writer) enqueue(p pending) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errors.New("the writer is closed")
	}
	select {
	case w.queue <- p:
		return nil
	default:
		return fmt.Errorf("the queue is full: %d entries wait", cap(w.queue))
	}
}

// run commits what waits, until the queue is closed and empty.
func (w *Writer) run() {
	for first := range w.queue {
		w.commit(w.gather(first))
	}
}

// gather takes what waits already; it does not wait for more.
func (w *Writer) gather(first pending) []pending {
	batch := []pending{first}
	for len(batch) < w.maxBatch {
		select {
		case p, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// commit writes a batch in one transaction and tells the callers. A batch that fails for
// what is in it is halved until only the bad entries fail.
func (w *Writer) commit(batch []pending) {
	began := time.Now()
	err := w.insert(batch)
	if w.opts.OnBatch != nil {
		w.opts.OnBatch(len(batch), time.Since(began), err)
	}
	if len(batch) > 1 && aboutData(err) {
		w.commit(batch[:len(batch)/2])
		w.commit(batch[len(batch)/2:])
		return
	}
	w.report(err)
	for _, p := range batch {
		p.done <- err
	}
}

// report logs when commits begin to fail and when they succeed again; each failure is
// an error of its callers besides.
func (w *Writer) report(err error) {
	switch {
	case aboutData(err):
		w.opts.Log.ErrorContext(w.life, "an audit entry was refused by the database", "error", err)
	case err != nil && !w.failing.Swap(true):
		w.opts.Log.ErrorContext(w.life, "audit entries cannot be committed", "error", err)
	case err == nil && w.failing.Swap(false):
		w.opts.Log.InfoContext(w.life, "audit entries are committed again")
	}
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
