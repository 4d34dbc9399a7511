package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

// stuckAfter is how long a loop may be silent before it counts as dead: longer than
// the longest write.
const stuckAfter = 15 * time.Second

// flushHot writes the seconds and latest values that have changed.
func (e *Engine) flushHot(ctx context.Context, now time.Time) {
	e.hot.beat(now)
	e.saveHot(ctx, now, -1)
	e.mu.Lock()
	e.book.forget(now, max(keptRecent, e.opts.MaxPast+2*time.Second))
	e.mu.Unlock()
}

// saveHot writes what has changed of one service, or of all (-1). What fails is kept
// and written with the next flush.
func (e *Engine) saveHot(ctx context.Context, now time.Time, service int) {
	e.hotWrites.Lock()
	defer e.hotWrites.Unlock()
	e.mu.Lock()
	p := e.book.unsaved(now, service)
	e.mu.Unlock()
	if p.empty() {
		if service < 0 {
			e.hot.idle()
		}
		return
	}
	err := e.timed(ctx, hotTimeout, func(ctx context.Context) error {
		return errors.Join(e.opts.Hot.SaveSeconds(ctx, e.opts.Source, p.cells), e.opts.Hot.SaveLatest(ctx, p.latest))
	})
	if err != nil {
		e.mu.Lock()
		e.book.returned(p)
		e.mu.Unlock()
	}
	e.hot.note(ctx, e.opts.Log, err)
}

// flushRollups closes the windows that are due and delivers what waits.
func (e *Engine) flushRollups(ctx context.Context, now time.Time) {
	e.rollups.beat(now)
	e.mu.Lock()
	overflows := e.spool.push(e.book.closed(now, min(grace, e.opts.MaxPast), e.opts.Source))
	e.mu.Unlock()
	if overflows {
		e.opts.Log.WarnContext(ctx, "too many rollups wait for the store: the oldest are dropped", "limit", spoolRows)
	}
	_ = e.deliver(ctx) // noted already; the spool keeps what is left
}

// deliver writes the spool, oldest first, until it is empty or a write fails. A write
// whose answer is lost is repeated: rollups are delivered at least once.
func (e *Engine) deliver(ctx context.Context) error {
	for {
		e.mu.Lock()
		rows := e.spool.next(chunkRows)
		e.mu.Unlock()
		if len(rows) == 0 {
			e.rollups.idle()
			return nil
		}
		err := e.timed(ctx, rollupTimeout, func(ctx context.Context) error { return e.opts.Rollups.SaveRollups(ctx, rows) })
		if err != nil {
			e.noteRollups(ctx, err)
			return err
		}
		e.mu.Lock()
		e.book.ledger.Stored += e.spool.take(len(rows))
		e.mu.Unlock()
		e.noteRollups(ctx, nil)
		e.rollups.beat(e.opts.Now())
	}
}

func (e *Engine) noteRollups(ctx context.Context, err error) {
	e.mu.Lock()
	waiting, dropped := e.spool.samples, e.spool.dropped
	e.mu.Unlock()
	e.rollups.note(ctx, e.opts.Log.With("waitingSamples", waiting, "droppedSamples", dropped), err)
}

// timed runs one write within its time and reports it.
func (e *Engine) timed(ctx context.Context, limit time.Duration, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err := write(ctx)
	e.opts.Metrics.Flushed(e.opts.Now(), time.Since(begin), err)
	return err
}

// close refuses further samples and stores what is open. An error says what is lost.
func (e *Engine) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	now := e.opts.Now()
	e.mu.Lock()
	e.stopped = true
	e.spool.push(e.book.closed(now, -1, e.opts.Source))
	e.mu.Unlock()
	e.saveHot(ctx, now, -1)
	if err := e.deliver(ctx); err != nil {
		return fmt.Errorf("ingest.Run: %d samples are not stored: %w", e.Ledger().Spooled, err)
	}
	return nil
}

// Check says whether the loops are alive and the last flushes succeeded.
func (e *Engine) Check(context.Context) error {
	if !e.opts.Enabled {
		return switchedOff("ingest.Check")
	}
	now := e.opts.Now()
	if err := errors.Join(e.hot.check(now), e.rollups.check(now)); err != nil {
		return models.Unavailable("ingest.Check", err)
	}
	return nil
}

// outlet remembers how the writes to one store go.
type outlet struct {
	name string

	mu    sync.Mutex
	alive time.Time // last turn of the loop
	err   error     // of the last write; nil = it succeeded, or nothing is owed
}

func (o *outlet) beat(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alive = now
}

// idle clears a failure when nothing is left that could be written.
func (o *outlet) idle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = nil
}

// note keeps the result of a write and logs when the store begins or ceases to fail. A
// write that was cut short by the end of ctx says nothing of the store.
func (o *outlet) note(ctx context.Context, log *slog.Logger, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	changed := (err != nil) != (o.err != nil)
	o.err = err
	o.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		log.WarnContext(ctx, "aggregates are not stored", "store", o.name, "error", err)
	default:
		log.InfoContext(ctx, "aggregates are stored again", "store", o.name)
	}
}

func (o *outlet) check(now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.alive.IsZero():
		return fmt.Errorf("%s: no flush yet", o.name)
	case now.Sub(o.alive) > stuckAfter:
		return fmt.Errorf("%s: no flush for %s", o.name, now.Sub(o.alive).Round(time.Second))
	case o.err != nil:
		return fmt.Errorf("%s: last flush: %w", o.name, o.err)
	}
	return nil
}
