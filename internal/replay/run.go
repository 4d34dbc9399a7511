package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/wedsync/scalability/models"
)

// Options say what is replayed, how fast and where to.
type Options struct {
	Trace    Trace
	Speed    float64                        // seconds of the trace per second; 0 = 1
	Shares   map[models.ServiceName]float64 // of the trace's count; nil = all of it to api
	FleetURL string                         // the fleet that serves the load; "" = post samples to the API instead
	APIURL   string                         // only without a fleet
	Token    string                         // only without a fleet: a token that may write metrics
	Progress io.Writer                      // nil = silent
	Live     bool                           // Progress is a terminal: one line that is written over
	Log      *slog.Logger                   // nil = silent
	HTTP     *http.Client                   // nil = a time-out of 3 s

	tick time.Duration // of the load; 0 = 1 s
}

// Result says what a replay did.
type Result struct {
	Offered int // times the load was set
	Failed  int // times it could not be set
	Done    bool
	Covered time.Duration // of the trace
}

// Run replays a trace: each second it offers the trace's mean rate over the span that
// the second covers. A target that cannot be reached at the start is an error; one that
// goes away later is tried again each second while the trace goes on. When it ends, or
// ctx does, the load is taken away.
func Run(ctx context.Context, o Options) (Result, error) {
	t, err := o.target()
	if err != nil {
		return Result{}, err
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if !(o.Speed > 0 && o.Speed <= 1e6) {
		return Result{}, models.Invalid("speed", o.Speed, "must be above 0 and at most 1000000")
	}
	if o.Trace.Len() == 0 {
		return Result{}, models.Invalid("trace", o.Trace.Name, "holds no counts")
	}
	if len(o.Shares) == 0 {
		o.Shares = map[models.ServiceName]float64{models.ServiceAPI: 1}
	}
	if o.tick == 0 {
		o.tick = time.Second
	}
	o.Log = orSilent(o.Log)
	p := player{Options: o, target: t}
	err = p.play(ctx)
	if clearing := release(ctx, t); clearing != nil && err == nil {
		err = fmt.Errorf("replay: the load ends by itself in seconds: %w", clearing)
	}
	return p.result, err
}

func orSilent(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

func (o Options) target() (target, error) {
	if o.FleetURL != "" {
		w, err := newWeb("fleet address", o.FleetURL, "", o.HTTP)
		return fleetTarget{w, "replay"}, err
	}
	w, err := newWeb("api address", o.APIURL, o.Token, o.HTTP)
	return apiTarget{w, time.Now}, err
}

type player struct {
	Options
	target  target
	result  Result
	failing bool
	printed time.Time
}

func (p *player) play(ctx context.Context) error {
	start := time.Now()
	tick := time.NewTicker(p.tick)
	defer tick.Stop()
	for now := start; ; {
		from := p.traceTime(now.Sub(start))
		p.result.Covered = min(from, p.Trace.Duration())
		if from >= p.Trace.Duration() {
			p.result.Done = true
			p.progress(now, start, 0)
			return nil
		}
		rps := p.Trace.Rate(from, from+p.traceTime(p.tick))
		if err := p.offer(ctx, rps); err != nil {
			return err
		}
		p.progress(now, start, rps)
		select {
		case <-ctx.Done():
			return nil
		case now = <-tick.C:
		}
	}
}

func (p *player) traceTime(wall time.Duration) time.Duration {
	return time.Duration(float64(wall) * p.Speed)
}

// offer sets the load. Only the first failure ends the replay, only changes are logged.
func (p *player) offer(ctx context.Context, rps float64) error {
	err := p.target.offer(ctx, spread(rps, p.Shares))
	if err == nil {
		p.result.Offered++
	} else {
		p.result.Failed++
	}
	if ctx.Err() != nil {
		return nil
	}
	var refused *statusError
	if err != nil && (p.result.Offered == 0 || errors.As(err, &refused) && refused.status < 500 && refused.status != http.StatusTooManyRequests) {
		return fmt.Errorf("replay: %w", err)
	}
	if (err != nil) != p.failing {
		p.failing = err != nil
		p.Log.WarnContext(ctx, "replay target", "failing", p.failing, "error", err)
	}
	return nil
}

// progress writes where the replay is: on a terminal each second, else every 10 s.
func (p *player) progress(now, start time.Time, rps float64) {
	if p.Progress == nil || !p.Live && !p.result.Done && now.Sub(p.printed) < 10*time.Second {
		return
	}
	p.printed = now
	share := float64(p.result.Covered) / float64(p.Trace.Duration())
	left := time.Duration(float64(p.Trace.Duration()-p.result.Covered) / p.Speed).Round(time.Second)
	line := fmt.Sprintf("%s  %8.1f req/s  %5.1f %%  %s left", p.Trace.point(int(p.result.Covered/p.Trace.Period)), rps, 100*share, left)
	if p.result.Done {
		line = fmt.Sprintf("done: %s of the trace in %s, %d seconds of load offered, %d not taken",
			p.result.Covered, now.Sub(start).Round(time.Second), p.result.Offered, p.result.Failed)
	}
	switch {
	case !p.Live:
		line += "\n"
	case p.result.Done:
		line = "\r\033[K" + line + "\n"
	default:
		line = "\r\033[K" + line
	}
	_, _ = io.WriteString(p.Progress, line) // progress is a courtesy
}
