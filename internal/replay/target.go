package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// web speaks JSON to one server.
type web struct {
	base  string
	token string // bearer token, "" for none
	http  *http.Client
}

// newWeb checks a base URL; what names the setting that it came from.
func newWeb(what, base, token string, hc *http.Client) (web, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return web{}, models.Invalid(what, base, "must be a URL such as http://127.0.0.1:8090")
	}
	if hc == nil {
		hc = &http.Client{Timeout: 3 * time.Second}
	}
	return web{base: strings.TrimRight(base, "/"), token: token, http: hc}, nil
}

// statusError is an answer that is not 2xx.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4 << 20

// call sends in, when it is not nil, and decodes the answer into out, when it is not nil.
func (w web) call(ctx context.Context, method, path string, in, out any) error {
	op := method + " " + path
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.base+path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	res, err := w.http.Do(req)
	if err != nil {
		return models.Unavailable(op, err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return models.Unavailable(op, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s: %w", op, &statusError{res.StatusCode, strings.TrimSpace(string(data[:min(len(data), 300)]))})
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// target takes load: a fleet that serves it, or the API that is told of it.
type target interface {
	offer(ctx context.Context, rates map[models.ServiceName]float64) error
	clear(ctx context.Context) error
}

// fleetTarget is a load source of a fleet; the fleet reports what it measures.
type fleetTarget struct {
	web
	source string
}

func (t fleetTarget) offer(ctx context.Context, rates map[models.ServiceName]float64) error {
	return t.call(ctx, http.MethodPut, "/load/"+t.source, rates, nil)
}

func (t fleetTarget) clear(ctx context.Context) error {
	return t.call(ctx, http.MethodDelete, "/load/"+t.source, nil, nil)
}

// apiTarget posts the load as throughput samples, where nothing else measures it.
type apiTarget struct {
	web
	clock func() time.Time
}

func (t apiTarget) offer(ctx context.Context, rates map[models.ServiceName]float64) error {
	now := t.clock().UTC()
	samples := []models.Sample{}
	for _, name := range models.ServiceNames() {
		if rps, ok := rates[name]; ok {
			samples = append(samples, models.Sample{Service: name, Metric: models.MetricThroughput, Value: rps, Timestamp: now})
		}
	}
	return t.call(ctx, http.MethodPost, "/api/scalability/metrics", map[string]any{"samples": samples}, nil)
}

// clear does nothing: samples that stop coming age by themselves.
func (t apiTarget) clear(context.Context) error { return nil }

// release ends a load source although its own context has ended.
func release(ctx context.Context, t target) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	return t.clear(ctx)
}
