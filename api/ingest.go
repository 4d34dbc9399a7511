package api

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/models"
)

// maxSamples bounds one batch.
const maxSamples = 10_000

// PostMetrics takes a batch of samples: all of it is valid, or nothing of it is taken.
func (s *server) PostMetrics(c *gin.Context) {
	body, err := readMetricsBody(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	samples, err := decodeSamples(body)
	if err != nil {
		s.fail(c, err)
		return
	}
	result, err := s.Ingest.Ingest(c.Request.Context(), samples)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusAccepted, result)
}

// readMetricsBody reads a body, decompressed where it is gzip. The bound holds for what
// comes out, so that a small body cannot become a large one.
func readMetricsBody(r *http.Request) ([]byte, error) {
	if err := checkMediaType(r); err != nil {
		return nil, err
	}
	switch e := strings.ToLower(r.Header.Get("Content-Encoding")); e {
	case "", "identity":
		return drainBody(r.Body, maxMetricsBody)
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, models.Invalid("body", "", "must be gzip, as Content-Encoding says")
		}
		defer func() { _ = z.Close() }() // it only reads
		return drainBody(io.Reader(z), maxMetricsBody)
	default:
		return nil, unsupported("Content-Encoding", e, "must be gzip or absent")
	}
}

// decodeSamples reads {"samples":[…]} without making a tree of it: this is the busiest
// body of all. It is as strict as validate, and stops at the first fault.
func decodeSamples(body []byte) ([]models.Sample, error) {
	s := &scanner{data: body}
	var out []models.Sample
	seen := false
	err := s.object("", func(key string) error {
		if key != "samples" {
			return models.Invalid(cut(key, maxKeyInPath), "", "is not a known field: must be samples")
		}
		if seen {
			return models.Invalid("samples", "", "must stand once")
		}
		seen = true
		return s.list("samples", func(i int) error {
			if i == maxSamples {
				return &models.Error{
					Kind: models.KindTooLarge, Field: "samples", Value: fmt.Sprintf("more than %d", maxSamples),
					Rule: fmt.Sprintf("must have 1 to %d entries", maxSamples),
				}
			}
			sample, err := s.sample(i)
			out = append(out, sample)
			return err
		})
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return nil, err
	case !seen:
		return nil, models.Invalid("samples", "", "is required")
	case len(out) == 0:
		return nil, models.Invalid("samples", "[]", fmt.Sprintf("must have 1 to %d entries", maxSamples))
	}
	return out, nil
}

// The fields of a sample, in the order of their bits.
const (
	fieldService = iota
	fieldMetric
	fieldValue
	fieldTimestamp
	sampleFields
)

func sampleFieldNames() [sampleFields]string {
	return [sampleFields]string{"service", "metric", "value", "timestamp"}
}

// sample reads one entry.
func (s *scanner) sample(i int) (models.Sample, error) {
	var out models.Sample
	var seen uint
	path := func(field string) string { return join("samples["+strconv.Itoa(i)+"]", field) }
	names := sampleFieldNames()
	err := s.object("", func(key string) error {
		field := 0
		for field < sampleFields && names[field] != key {
			field++
		}
		if field == sampleFields {
			return models.Invalid(path(key), s.snippet(), "is not a known field: must be one of "+strings.Join(names[:], ", "))
		}
		if seen&(1<<field) != 0 {
			return models.Invalid(path(key), s.snippet(), "must stand once")
		}
		seen |= 1 << field
		return s.sampleField(&out, field, path)
	})
	if err != nil {
		return out, relocate(err, strings.TrimSuffix(path(""), "."))
	}
	for field, name := range names {
		if seen&(1<<field) == 0 {
			return out, models.Invalid(path(name), "", "is required")
		}
	}
	return out, models.ValidateMetricValue(path("value"), out.Metric, out.Value)
}

// sampleField reads the value of one field; paths are only made for errors.
func (s *scanner) sampleField(out *models.Sample, field int, path func(string) string) error {
	name := sampleFieldNames()[field]
	if field == fieldValue {
		n, err := s.number("")
		out.Value = n.value
		return relocate(err, path(name))
	}
	text, err := s.text("")
	if err != nil {
		return relocate(err, path(name))
	}
	switch field {
	case fieldService:
		out.Service, err = models.ParseServiceName("", text)
	case fieldMetric:
		out.Metric, err = models.ParseMetricName("", text)
	default:
		if out.Timestamp, err = parseTime(text); err != nil {
			err = models.Invalid("", text, "must be "+dateNoun)
		}
	}
	return relocate(err, path(name))
}

// relocate names the field of an error that was made without one.
func relocate(err error, path string) error {
	if e, ok := err.(*models.Error); ok && (e.Field == "" || e.Field == "body") { //nolint:errorlint // made here, not wrapped
		e.Field = path
	}
	return err
}
