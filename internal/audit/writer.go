package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wedsync/scalability/models"
)

// Defaults and bounds of a Writer.
const (
	defaultConnections = 2
	defaultQueue       = 8192
	defaultTimeout     = 5 * time.Second
	maxBatch           = 2048
	// gatherWait bounds how long a batch waits for callers that the last one released.
	gatherWait = time.Millisecond
)

// Options configure a Writer.
type Options struct {
	URL         string        // of Postgres, as the application's role
	Process     string        // who writes, e.g. "api"; the subject of the row level security scope, and in the stream's name
	Connections int           // of its own, so that no other query can starve it; zero is 2
	Queue       int           // entries that may wait; zero is 8192
	Log         *slog.Logger  // nil discards
	Timeout     time.Duration // that Record waits at most; zero is 5 s
	// OnBatch hears of each commit: entries, duration, error. It must not block; may be nil.
	OnBatch func(n int, took time.Duration, err error)
	// OnCount hears what became of entries; it must not block; may be nil.
	OnCount func(Count)
	// OnAnchored hears each time that all is signed and copied; may be nil.
	OnAnchored func(time.Time)

	reads bool // nothing is written
}

// Count is what became of the entries since the writer was opened.
type Count struct {
	Issued    int64 // whose callers were told that they are committed
	Committed int64 // that were found in the trail when it was read back
	Refused   int64 // whose callers were told that they may not be
}

// Writer appends entries to one stream in groups: those that arrive while a commit is under
// way are committed together by the next, so that the commits do not grow with the callers.
// It is safe for concurrent use.
type Writer struct {
	pool     *pgxpool.Pool
	opts     Options
	maxBatch int
	changes  *Changes
	anchor   atomic.Pointer[Anchor] // signs once more at the end; nil: nobody does

	life    context.Context // of the commits; ends only when Close may wait no longer
	end     context.CancelFunc
	workers sync.WaitGroup
	failing atomic.Bool
	refused atomic.Int64
	moved   atomic.Bool   // somebody else wrote to the stream
	stopped chan struct{} // is closed when nothing will be committed any more
	name    string        // of the stream

	// Of the one goroutine that commits.
	head   head
	unsure *head // where the stream ends if a commit of which we heard nothing succeeded
	buf    []byte
	last   int // entries of the last batch

	issued atomic.Int64 // number of the stream's last row that is known to be committed

	mu     sync.RWMutex // guards the closing of queue
	closed bool
	queue  chan pending
}

// pending is an entry whose caller waits.
type pending struct {
	row  row
	done chan error // has room, so that nobody waits for a caller that left
}

// Open connects and begins a stream. It fails when Postgres is away, the migrations were
// not made or the role may not write entries: a process that cannot audit must not start.
func Open(ctx context.Context, o Options) (*Writer, error) {
	o = o.withDefaults()
	pool, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	w, err := start(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, models.Unavailable("audit.Open", err)
	}
	return w, nil
}

// start opens the two streams of a process and begins to commit.
func start(ctx context.Context, pool *pgxpool.Pool, o Options) (*Writer, error) {
	w := &Writer{pool: pool, opts: o, maxBatch: maxBatch, queue: make(chan pending, o.Queue), stopped: make(chan struct{})}
	name := newStream(o.Process, time.Now())
	var err error
	if w.head, err = open(ctx, pool, name, o.Process); err != nil {
		return nil, err
	}
	changes, err := open(ctx, pool, name+changesSuffix, o.Process)
	if err != nil {
		return nil, err
	}
	w.name, w.changes = name, &Changes{stream: changes.stream}
	w.life, w.end = context.WithCancel(context.Background())
	w.head, err = w.insert(w.life, w.head, []row{w.mark(actionOpen, w.name)}) //nolint:contextcheck // as above
	if err == nil {
		_, err = w.insert(w.life, changes, []row{w.mark(actionOpen, changes.stream)}) //nolint:contextcheck // as above
	}
	if err != nil {
		w.end()
		return nil, err
	}
	w.issued.Store(w.head.seq)
	w.workers.Go(w.run)
	w.workers.Go(w.readBack)
	return w, nil
}

// Changes appends to the stream of this process that is written in the transactions of
// what it records.
func (w *Writer) Changes() *Changes { return w.changes }

// The first and the last row of each stream.
const (
	actionOpen  = "audit.open"
	actionClose = "audit.close"
)

// mark is the first or the last row of a stream: they show that nothing was cut off.
func (w *Writer) mark(action, stream string) row {
	r, _ := newRow(models.AuditEntry{ // its texts are ours: nothing in it can fail to encode
		Actor: "svc:" + w.opts.Process, Action: action, Object: "audit/" + stream, Decision: models.AuditAllow, Rule: "stream",
	}, time.Now())
	return r
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
		w.refused.Add(1)
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
		w.refused.Add(1)
		return models.Unavailable("audit.Record", err)
	}
	return nil
}

// Check says what keeps the writer from ever committing again; a database that is away does not.
func (w *Writer) Check() error {
	if w.moved.Load() {
		return models.Unavailable("audit.Check", fmt.Errorf("%w: start the process again, and verify the trail", errMoved))
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
	if a := w.anchor.Load(); a != nil && ctx.Err() == nil {
		if err := a.Checkpoint(ctx, 0); err != nil {
			w.opts.Log.WarnContext(ctx, "the last audit checkpoint was not made", "error", err)
		}
	}
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

// run commits what waits, until the queue is closed and empty, and then closes the stream.
func (w *Writer) run() {
	defer close(w.stopped)
	for first := range w.queue {
		w.commit(w.gather(first))
	}
	ctx, cancel := context.WithTimeout(w.life, w.opts.Timeout)
	defer cancel()
	// What is missing at the end shows that it was not orderly.
	if err := errors.Join(w.settle(ctx), w.finish(ctx, w.name), w.finish(ctx, w.changes.stream)); err != nil {
		w.opts.Log.WarnContext(ctx, "the audit stream was not closed", "stream", w.name, "error", err)
	}
}

// finish adds the last row of a stream and closes it, at once: nothing comes in between.
func (w *Writer) finish(ctx context.Context, stream string) error {
	return asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) error {
		h, err := headOf(ctx, tx, stream)
		if err != nil {
			return err
		}
		_, args := w.columns(h, []row{w.mark(actionClose, stream)})
		tag, err := tx.Exec(ctx, insertSQL, args...)
		if err == nil && tag.RowsAffected() != 1 {
			err = errMoved
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE audit_streams SET closed_at = clock_timestamp() WHERE stream = $1`, stream)
		return err
	})
}

// gather takes what waits. Callers that the last batch released come back at once, most of
// them: it gives them a moment, so that they are not split in two.
func (w *Writer) gather(first pending) []pending {
	batch := append(make([]pending, 0, max(16, w.last)), first)
	deadline := time.Now().Add(gatherWait)
	for len(batch) < w.maxBatch {
		select {
		case p, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch = append(batch, p)
		default:
			if len(batch) >= w.last*9/10 || !time.Now().Before(deadline) {
				return batch
			}
			runtime.Gosched()
		}
	}
	return batch
}

// commit appends a batch in one transaction and tells the callers. A batch that fails for
// what is in it is halved until only the bad entries fail. An entry that is there already
// is one that was sent again.
func (w *Writer) commit(batch []pending) {
	began := time.Now()
	rows := make([]row, len(batch))
	for i, p := range batch {
		rows[i] = p.row
	}
	ctx, cancel := context.WithTimeout(w.life, w.opts.Timeout)
	to, err := w.append(ctx, rows)
	cancel()
	if w.opts.OnBatch != nil {
		w.opts.OnBatch(len(batch), time.Since(began), err)
	}
	if len(batch) > 1 && aboutData(err) {
		w.commit(batch[:len(batch)/2])
		w.commit(batch[len(batch)/2:])
		return
	}
	w.last = len(batch)
	if err == nil {
		w.head = to
		w.issued.Store(to.seq)
	} else if len(batch) == 1 && keptBefore(err) {
		err = nil
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
