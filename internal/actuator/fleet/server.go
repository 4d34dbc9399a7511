package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	maxBody    = 1 << 20 // bytes of a request
	maxSources = 100
)

// Problem is the body of a refused call.
type Problem struct {
	Kind   models.Kind `json:"kind"`
	Field  string      `json:"field,omitempty"`
	Value  string      `json:"value,omitempty"`
	Rule   string      `json:"rule,omitempty"`
	Detail string      `json:"detail"`
}

// Handler is the fleet's HTTP surface. It knows no credentials: bind it to loopback.
func (f *Fleet) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", f.getHealth)
	mux.HandleFunc("GET /services", f.getServices)
	mux.HandleFunc("GET /services/{service}", f.getService)
	mux.HandleFunc("GET /services/{service}/limits", f.getLimits)
	mux.HandleFunc("POST /services/{service}/apply", f.postApply)
	mux.HandleFunc("POST /services/{service}/dry-run", f.postDryRun)
	mux.HandleFunc("POST /services/{service}/measure", f.postMeasure)
	mux.HandleFunc("POST /services/{service}/probe", f.postProbe)
	mux.HandleFunc("GET /services/{service}/disturbance", f.getDisturbance)
	mux.HandleFunc("POST /services/{service}/configure", f.postConfigure)
	mux.HandleFunc("PUT /services/{service}/faults", f.putFaults)
	mux.HandleFunc("DELETE /services/{service}/faults", f.deleteFaults)
	mux.HandleFunc("PUT /load/{source}", f.putLoad)
	mux.HandleFunc("DELETE /load/{source}", f.deleteLoad)
	return mux
}

// getHealth answers 200 only while the fleet is stepped: it does not step it itself.
func (f *Fleet) getHealth(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	at := f.plant.Now()
	f.mu.Unlock()
	if age := f.clock().Sub(at); age > 5*time.Second {
		writeProblem(w, models.Unavailable("fleet", fmt.Errorf("not stepped for %s", age.Round(time.Second))))
		return
	}
	writeJSON(w, map[string]any{"status": "ok", "steppedAt": at})
}

func (f *Fleet) getServices(w http.ResponseWriter, _ *http.Request) {
	views := []ServiceView{}
	err := f.use(func(p *Plant) error {
		for _, svc := range p.services {
			v, err := p.View(svc.set.Service)
			if err != nil {
				return err
			}
			views = append(views, v)
		}
		return nil
	})
	answer(w, map[string]any{"services": views}, err)
}

func (f *Fleet) getService(w http.ResponseWriter, r *http.Request) {
	name := pathService(r)
	if err := f.inject(r.Context(), name, FaultDescribeError); err != nil {
		writeProblem(w, err)
		return
	}
	var v ServiceView
	err := f.use(func(p *Plant) (err error) {
		v, err = p.View(name)
		return err
	})
	answer(w, v, err)
}

func (f *Fleet) getLimits(w http.ResponseWriter, r *http.Request) {
	var l models.Limits
	err := f.use(func(p *Plant) (err error) {
		l, err = p.Limits(pathService(r))
		return err
	})
	answer(w, l, err)
}

func (f *Fleet) postApply(w http.ResponseWriter, r *http.Request) {
	var req models.ApplyRequest
	if err := decode(w, r, &req); err != nil {
		writeProblem(w, err)
		return
	}
	if req.Service == "" {
		req.Service = pathService(r)
	}
	if req.Service != pathService(r) {
		writeProblem(w, models.Invalid("service", req.Service, "must be the service of the path"))
		return
	}
	if err := f.inject(r.Context(), req.Service, FaultApplyError); err != nil {
		writeProblem(w, err)
		return
	}
	res, err := f.Apply(req)
	answer(w, res, err)
}

func (f *Fleet) postDryRun(w http.ResponseWriter, r *http.Request) {
	var req models.ApplyRequest
	if err := decode(w, r, &req); err != nil {
		writeProblem(w, err)
		return
	}
	req.Service = pathService(r)
	err := f.use(func(p *Plant) error { return p.DryRun(req) })
	answer(w, map[string]any{"wouldApply": true}, err)
}

func (f *Fleet) postMeasure(w http.ResponseWriter, r *http.Request) {
	var req models.MeasureRequest
	if err := decode(w, r, &req); err != nil {
		writeProblem(w, err)
		return
	}
	req.Service = pathService(r)
	var m models.Measurement
	err := f.use(func(p *Plant) (err error) {
		m, err = p.Measure(req)
		return err
	})
	answer(w, m, err)
}

func (f *Fleet) postProbe(w http.ResponseWriter, r *http.Request) {
	var req models.ProbeRequest
	if err := decode(w, r, &req); err != nil {
		writeProblem(w, err)
		return
	}
	req.Service = pathService(r)
	err := f.use(func(p *Plant) error { return p.Probe(req) })
	answer(w, map[string]any{"probing": true}, err)
}

func (f *Fleet) getDisturbance(w http.ResponseWriter, r *http.Request) {
	var d models.Disturbance
	err := f.use(func(p *Plant) (err error) {
		d, err = p.Disturbance(pathService(r))
		return err
	})
	answer(w, d, err)
}

func (f *Fleet) postConfigure(w http.ResponseWriter, r *http.Request) {
	var c ServiceChange
	if err := decode(w, r, &c); err != nil {
		writeProblem(w, err)
		return
	}
	f.changeService(w, r, func(p *Plant, name models.ServiceName) error { return p.Configure(name, c) })
}

func (f *Fleet) putFaults(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Faults []Fault `json:"faults"`
	}
	if err := decode(w, r, &body); err != nil {
		writeProblem(w, err)
		return
	}
	if len(body.Faults) > 20 {
		writeProblem(w, &models.Error{Kind: models.KindTooLarge, Field: "faults", Rule: "at most 20"})
		return
	}
	f.changeService(w, r, func(p *Plant, name models.ServiceName) error { return p.SetFaults(name, body.Faults) })
}

func (f *Fleet) deleteFaults(w http.ResponseWriter, r *http.Request) {
	f.changeService(w, r, func(p *Plant, name models.ServiceName) error { return p.SetFaults(name, nil) })
}

// changeService makes a change, saves it and answers with the service.
func (f *Fleet) changeService(w http.ResponseWriter, r *http.Request, change func(*Plant, models.ServiceName) error) {
	var v ServiceView
	err := f.use(func(p *Plant) (err error) {
		if err := change(p, pathService(r)); err != nil {
			return err
		}
		v, err = p.View(pathService(r))
		return err
	})
	if err == nil {
		err = f.save()
	}
	answer(w, v, err)
}

// putLoad sets what a source offers: {"api": 120.5, …} in requests per second, for 5 s.
func (f *Fleet) putLoad(w http.ResponseWriter, r *http.Request) {
	rates := map[models.ServiceName]float64{}
	if err := decode(w, r, &rates); err != nil {
		writeProblem(w, err)
		return
	}
	source := r.PathValue("source")
	var until time.Time
	err := f.use(func(p *Plant) error {
		until = p.Now().Add(loadTTL)
		if err := p.checkLoad(source, rates); err != nil {
			return err
		}
		p.SetLoad(source, rates, until)
		return nil
	})
	answer(w, map[string]any{"source": source, "until": until}, err)
}

func (f *Fleet) deleteLoad(w http.ResponseWriter, r *http.Request) {
	source := r.PathValue("source")
	err := f.use(func(p *Plant) error {
		p.SetLoad(source, nil, time.Time{})
		return nil
	})
	answer(w, map[string]any{"source": source}, err)
}

func (p *Plant) checkLoad(source string, rates map[models.ServiceName]float64) error {
	if len(source) > 60 || strings.Trim(source, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return models.Invalid("source", source, "must have at most 60 of a to z, 0 to 9 and -")
	}
	for name, rps := range rates {
		if _, err := p.find(name); err != nil {
			return models.Invalid("load", name, "is not a service of this fleet")
		}
		if math.IsNaN(rps) || rps < 0 || rps > 1e7 {
			return models.Invalid(string(name), rps, "must be from 0 to 10000000 requests per second")
		}
	}
	if len(p.loads) >= maxSources {
		return &models.Error{Kind: models.KindTooLarge, Field: "source", Value: source, Rule: fmt.Sprintf("at most %d sources at a time", maxSources)}
	}
	return nil
}

// inject carries out what the faults of calls ask for.
func (f *Fleet) inject(ctx context.Context, name models.ServiceName, kind FaultKind) error {
	var delay time.Duration
	err := f.use(func(p *Plant) (err error) {
		delay, err = p.callFault(name, kind)
		return err
	})
	if delay > 0 {
		select {
		case <-ctx.Done():
			return models.Unavailable("fleet", ctx.Err())
		case <-time.After(delay):
		}
	}
	return err
}

func pathService(r *http.Request) models.ServiceName {
	return models.ServiceName(r.PathValue("service"))
}

// decode reads one JSON document with known fields only.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return models.Invalid("Content-Type", r.Header.Get("Content-Type"), "must be application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return &models.Error{Kind: models.KindTooLarge, Field: "body", Rule: "at most 1 MiB"}
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return models.Invalid(wrongType.Field, wrongType.Value, "must be a "+wrongType.Type.String())
	case err != nil:
		return &models.Error{Kind: models.KindInvalid, Field: "body", Rule: "must be a JSON document of this call", Err: err}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return models.Invalid("body", "", "must be one JSON document")
	}
	return nil
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, v)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody to tell
}

func writeProblem(w http.ResponseWriter, err error) {
	p := Problem{Kind: models.KindOf(err), Detail: err.Error()}
	var e *models.Error
	if errors.As(err, &e) {
		p.Field, p.Value, p.Rule = e.Field, e.Value, e.Rule
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(statusOf(p.Kind))
	_ = json.NewEncoder(w).Encode(p) // the client went away: nobody to tell
}

func statusOf(k models.Kind) int {
	switch k {
	case models.KindInvalid:
		return http.StatusBadRequest
	case models.KindNotFound:
		return http.StatusNotFound
	case models.KindConflict:
		return http.StatusConflict
	case models.KindExpired:
		return http.StatusGone
	case models.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case models.KindUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
