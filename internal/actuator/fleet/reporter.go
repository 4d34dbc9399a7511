package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// keptSamples is how long samples wait for an API that is down: later ones would be
// refused as late, so they are dropped and counted.
const keptSamples = 10 * time.Second

// ReporterOptions say where metrics go.
type ReporterOptions struct {
	APIURL   string        // e.g. http://127.0.0.1:8080
	Token    string        // bearer token of a service account that writes metrics
	Interval time.Duration // 0 = 1 s
	HTTP     *http.Client  // nil = a time-out of 3 s
}

// Reporter posts the fleet's metrics through the public API.
type Reporter struct {
	opts    ReporterOptions
	log     *slog.Logger
	samples func() (time.Time, []models.Sample)
	last    time.Time // end of the newest second that was taken
	waiting []models.Sample
	failing bool
	count   ReportCount
}

// ReportCount says what became of the samples.
type ReportCount struct {
	Sent     int
	Dropped  int // too old when the API came back
	Rejected int // the API refused them for good
}

// NewReporter reports what samples gives: the metrics of the last closed second and
// its end.
func NewReporter(o ReporterOptions, samples func() (time.Time, []models.Sample), log *slog.Logger) *Reporter {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 3 * time.Second}
	}
	o.APIURL = strings.TrimRight(o.APIURL, "/")
	return &Reporter{opts: o, log: log, samples: samples}
}

// Run reports once per interval until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	tick := time.NewTicker(r.opts.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			r.report(ctx, now)
		}
	}
}

// report takes what is new, drops what is too old and posts the rest. Only a change
// between working and failing is logged.
func (r *Reporter) report(ctx context.Context, now time.Time) {
	if at, s := r.samples(); at.After(r.last) {
		r.last = at
		r.waiting = append(r.waiting, s...)
	}
	before := len(r.waiting)
	r.waiting = slices.DeleteFunc(r.waiting, func(s models.Sample) bool { return now.Sub(s.Timestamp) > keptSamples })
	r.count.Dropped += before - len(r.waiting)
	if len(r.waiting) == 0 {
		return
	}
	retry, err := r.post(ctx, r.waiting)
	switch {
	case err == nil:
		r.count.Sent += len(r.waiting)
		r.waiting = nil
	case !retry:
		r.count.Rejected += len(r.waiting)
		r.waiting = nil
	}
	r.note(ctx, err)
}

func (r *Reporter) note(ctx context.Context, err error) {
	if ctx.Err() != nil || (err != nil) == r.failing {
		return
	}
	r.failing = err != nil
	if r.failing {
		r.log.WarnContext(ctx, "metrics are not delivered", "error", err)
		return
	}
	r.log.InfoContext(ctx, "metrics are delivered again", "sent", r.count.Sent, "dropped", r.count.Dropped, "rejected", r.count.Rejected)
}

// wireSample is a sample as the API takes it.
type wireSample struct {
	Service   models.ServiceName `json:"service"`
	Metric    models.MetricName  `json:"metric"`
	Value     float64            `json:"value"`
	Timestamp string             `json:"timestamp"` // RFC 3339 with nanoseconds
}

// post sends samples; retry says whether the same samples may be taken later.
func (r *Reporter) post(ctx context.Context, samples []models.Sample) (retry bool, err error) {
	wire := make([]wireSample, len(samples))
	for i, s := range samples {
		wire[i] = wireSample{s.Service, s.Metric, s.Value, s.Timestamp.UTC().Format(time.RFC3339Nano)}
	}
	body, err := json.Marshal(map[string]any{"samples": wire})
	if err != nil {
		return false, fmt.Errorf("fleet.report: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.opts.APIURL+"/api/scalability/metrics", bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("fleet.report: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+r.opts.Token)
	res, err := r.opts.HTTP.Do(req)
	if err != nil {
		return true, fmt.Errorf("fleet.report: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 500)) // only to explain a refusal
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return false, nil
	}
	retry = res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests
	return retry, fmt.Errorf("fleet.report: status %d: %s", res.StatusCode, strings.TrimSpace(string(text)))
}

// Count says what became of the samples so far; not while Run works.
func (r *Reporter) Count() ReportCount { return r.count }
