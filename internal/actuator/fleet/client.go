package fleet

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

const (
	callTimeout = 5 * time.Second
	maxAnswer   = 8 << 20 // bytes
)

// Client orders and measures the replicas of a fleet process. It is safe for
// concurrent use. Errors carry the kind that the fleet gave; what did not reach it is
// KindUnavailable.
type Client struct {
	base string
	http *http.Client
}

// NewClient speaks to the fleet at a base URL such as http://127.0.0.1:7400. A nil
// HTTP client gets one with a time-out of 5 s per call.
func NewClient(base string, hc *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, models.Invalid("fleet address", base, "must be a URL such as http://127.0.0.1:7400")
	}
	if hc == nil {
		hc = &http.Client{Timeout: callTimeout}
	}
	return &Client{base: strings.TrimRight(base, "/"), http: hc}, nil
}

// Describe reads the capacity of a service.
func (c *Client) Describe(ctx context.Context, name models.ServiceName) (models.ReplicaSet, error) {
	v, err := c.View(ctx, name)
	return v.ReplicaSet, err
}

// View reads everything that the fleet knows of a service.
func (c *Client) View(ctx context.Context, name models.ServiceName) (v ServiceView, err error) {
	err = c.call(ctx, http.MethodGet, servicePath(name, ""), nil, &v)
	return v, err
}

// Apply orders capacity as models.ApplyRequest says.
func (c *Client) Apply(ctx context.Context, req models.ApplyRequest) (res models.ApplyResult, err error) {
	err = c.call(ctx, http.MethodPost, servicePath(req.Service, "/apply"), req, &res)
	return res, err
}

// DryRun asks whether an order would be taken, and changes nothing.
func (c *Client) DryRun(ctx context.Context, req models.ApplyRequest) error {
	return c.call(ctx, http.MethodPost, servicePath(req.Service, "/dry-run"), req, nil)
}

// Measure compares new replicas with old ones.
func (c *Client) Measure(ctx context.Context, req models.MeasureRequest) (m models.Measurement, err error) {
	err = c.call(ctx, http.MethodPost, servicePath(req.Service, "/measure"), req, &m)
	return m, err
}

// Probe sends synthetic requests to new replicas.
func (c *Client) Probe(ctx context.Context, req models.ProbeRequest) error {
	return c.call(ctx, http.MethodPost, servicePath(req.Service, "/probe"), req, nil)
}

// Disturbance says what was done to a service, and how many of its replicas are well.
func (c *Client) Disturbance(ctx context.Context, name models.ServiceName) (d models.Disturbance, err error) {
	err = c.call(ctx, http.MethodGet, servicePath(name, "/disturbance"), nil, &d)
	return d, err
}

// Limits reads the ceilings of a service. The connections of one replica are the
// larger of what the fleet and the catalogue say.
func (c *Client) Limits(ctx context.Context, svc models.Service) (l models.Limits, err error) {
	if err = c.call(ctx, http.MethodGet, servicePath(svc.Name, "/limits"), nil, &l); err != nil {
		return models.Limits{}, err
	}
	if l.Database != nil {
		l.Database.PerReplica = max(l.Database.PerReplica, svc.ConnectionsPerReplica)
	}
	return l, nil
}

// Configure changes how the fleet models a service.
func (c *Client) Configure(ctx context.Context, name models.ServiceName, change ServiceChange) error {
	return c.call(ctx, http.MethodPost, servicePath(name, "/configure"), change, nil)
}

// ConfigureFrom pushes what the catalogue says of a service.
func (c *Client) ConfigureFrom(ctx context.Context, svc models.Service) error {
	return c.Configure(ctx, svc.Name, ServiceChange{
		CapacityRPS: &svc.CapacityRPS, StartupP50Seconds: &svc.StartupP50Seconds,
		StartupP95Seconds: &svc.StartupP95Seconds, ConnectionsPerReplica: &svc.ConnectionsPerReplica,
	})
}

// SetFaults replaces the injected failures of a service; none ends injection.
func (c *Client) SetFaults(ctx context.Context, name models.ServiceName, faults ...Fault) error {
	if len(faults) == 0 {
		return c.call(ctx, http.MethodDelete, servicePath(name, "/faults"), nil, nil)
	}
	return c.call(ctx, http.MethodPut, servicePath(name, "/faults"), map[string]any{"faults": faults}, nil)
}

// SetLoad offers load in requests per second for the next 5 s; none ends the source.
func (c *Client) SetLoad(ctx context.Context, source string, rates map[models.ServiceName]float64) error {
	path := "/load/" + url.PathEscape(source)
	if len(rates) == 0 {
		return c.call(ctx, http.MethodDelete, path, nil, nil)
	}
	return c.call(ctx, http.MethodPut, path, rates, nil)
}

// Healthy says whether the fleet answers and is stepped.
func (c *Client) Healthy(ctx context.Context) error {
	return c.call(ctx, http.MethodGet, "/healthz", nil, nil)
}

func servicePath(name models.ServiceName, rest string) string {
	return "/services/" + url.PathEscape(string(name)) + rest
}

// call sends one request and decodes the answer into out, which may be nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	op := "fleet " + method + " " + path
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		body = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return models.Unavailable(op, err)
	}
	defer func() { _ = res.Body.Close() }()
	return readAnswer(op, res, out)
}

func readAnswer(op string, res *http.Response, out any) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return models.Unavailable(op, err)
	}
	if len(data) > maxAnswer {
		return models.Unavailable(op, fmt.Errorf("the answer is larger than %d bytes", maxAnswer))
	}
	if res.StatusCode != http.StatusOK {
		return problemError(op, res.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return models.Unavailable(op, fmt.Errorf("the answer is not what a fleet says: %w", err))
	}
	return nil
}

// problemError gives a refusal its kind: by the status, which proxies keep, with the
// field and rule of the body where it has them.
func problemError(op string, status int, data []byte) error {
	var p Problem
	e := &models.Error{Kind: kindOf(status), Op: op}
	if json.Unmarshal(data, &p) == nil && (p.Rule != "" || p.Detail != "") {
		e.Field, e.Value, e.Rule = p.Field, p.Value, p.Rule
		if p.Rule == "" {
			e.Rule = p.Detail
		}
		return e
	}
	e.Rule = "status " + http.StatusText(status)
	return e
}

func kindOf(status int) models.Kind {
	switch status {
	case http.StatusBadRequest:
		return models.KindInvalid
	case http.StatusNotFound:
		return models.KindNotFound
	case http.StatusConflict:
		return models.KindConflict
	case http.StatusGone:
		return models.KindExpired
	case http.StatusRequestEntityTooLarge:
		return models.KindTooLarge
	default:
		return models.KindUnavailable
	}
}
