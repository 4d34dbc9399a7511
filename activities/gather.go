package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
)

// partTimeout bounds each part of an observation, so that one dependency that hangs
// costs a gap and not the observation.
const partTimeout = 2 * time.Second

// gatherer runs reads side by side; what they found is stored one after the other, in
// the order they were asked for, so that an observation does not depend on timing.
type gatherer struct {
	ctx   context.Context //nolint:containedctx // lives for one call
	parts []part
}

// part is a read under way, named for its gap; without a name its failure is none.
type part struct {
	name   string
	ctx    context.Context //nolint:containedctx // of this read alone
	answer <-chan found
}

// found is what a read gave: store puts it into the observation.
type found struct {
	store func()
	err   error
}

// read starts a read.
func read[T any](g *gatherer, name string, f func(ctx context.Context) (T, error), store func(T)) {
	ctx, cancel := context.WithTimeout(g.ctx, partTimeout)
	answer := make(chan found, 1)
	g.parts = append(g.parts, part{name: name, ctx: ctx, answer: answer})
	go func() {
		defer cancel() // after the answer, so that an end without one is a time-out
		v, err := f(ctx)
		if err == nil {
			err = carriable(v)
		}
		answer <- found{store: func() { store(v) }, err: err}
	}()
}

// await gives what a read found. It is waited for no longer than partTimeout, also when
// it ignores its context: what it finds later is dropped.
func (p part) await() found {
	select {
	case f := <-p.answer:
		return f
	case <-p.ctx.Done():
	}
	select {
	case f := <-p.answer:
		return f
	default:
		return found{err: p.ctx.Err()}
	}
}

// carriable refuses what cannot travel to the workflow, such as a NaN: one bad number
// must not cost the whole observation.
func carriable(v any) error {
	if _, err := json.Marshal(v); err != nil {
		return &models.Error{Kind: models.KindInvalid, Op: "activities.Observe", Err: err}
	}
	return nil
}

// wait stores what was found and gives the gaps.
func (g *gatherer) wait() (gaps []string) {
	for _, p := range g.parts {
		f := p.await()
		switch {
		case f.err == nil:
			f.store()
		case p.name != "":
			gaps = append(gaps, fmt.Sprintf("%s could not be read (%s)", p.name, cause(f.err)))
		}
	}
	return gaps
}

// cause is one word for why a read failed: details belong into logs, not into the
// record of a decision.
func cause(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	default:
		return typeName(models.KindOf(err))
	}
}
