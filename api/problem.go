package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// httpError is a refusal that only HTTP knows: no such path, no such method, a content
// type that is not taken.
type httpError struct {
	status int
	detail string
	fields []*models.Error
	err    error
}

func (e *httpError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.detail
}

func (e *httpError) Unwrap() error { return e.err }

// retrySeconds is what a caller is told to wait where a dependency is away.
const retrySeconds = 5

// answer is how a kind of error is told over HTTP.
type answer struct {
	status int
	slug   string
	title  string
}

// answerFor maps each kind once.
func answerFor(k models.Kind) answer {
	switch k {
	case models.KindInvalid:
		return answer{http.StatusBadRequest, "invalid", "The input breaks a rule"}
	case models.KindNotFound:
		return answer{http.StatusNotFound, "not-found", "It does not exist"}
	case models.KindConflict:
		return answer{http.StatusConflict, "conflict", "It was changed or exists already"}
	case models.KindUnauthorised:
		return answer{http.StatusUnauthorized, "unauthorised", "A good token is needed"}
	case models.KindForbidden:
		return answer{http.StatusForbidden, "forbidden", "Not permitted"}
	case models.KindTooLarge:
		return answer{http.StatusRequestEntityTooLarge, "too-large", "A bound on size or count was passed"}
	case models.KindRateLimited:
		return answer{http.StatusTooManyRequests, "rate-limited", "Too many calls"}
	case models.KindUnavailable:
		return answer{http.StatusServiceUnavailable, "unavailable", "Something that is needed is away"}
	case models.KindExpired:
		return answer{http.StatusGone, "expired", "It outlived its time"}
	case models.KindInternal:
	}
	return answer{http.StatusInternalServerError, "internal", "Something went wrong here"}
}

// kindOf classifies an error, also those of the context and of net/http.
func kindOf(err error) models.Kind {
	var tooLarge *http.MaxBytesError
	switch k := models.KindOf(err); {
	case k != models.KindInternal:
		return k
	case errors.As(err, &tooLarge):
		return models.KindTooLarge
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return models.KindUnavailable
	default:
		return k
	}
}

// fail answers with a problem and ends the chain. An error that is not the caller's is
// logged here, once; the caller gets the request id and nothing of its cause.
func (s *server) fail(c *gin.Context, err error) {
	p := s.problem(c, err)
	if p.Status >= http.StatusInternalServerError && c.Request.Context().Err() == nil {
		s.Log.ErrorContext(c.Request.Context(), "request failed", "requestId", p.RequestId, "method", c.Request.Method,
			"route", c.FullPath(), "status", p.Status, "error", err)
	}
	switch p.Status {
	case http.StatusUnauthorized:
		c.Header("WWW-Authenticate", challenge(err))
	case http.StatusServiceUnavailable:
		c.Header("Retry-After", strconv.Itoa(retrySeconds))
	}
	c.Header("Cache-Control", "no-store")
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers always marshal
		body = []byte(`{}`)
	}
	c.Data(p.Status, "application/problem+json", body)
	c.Abort()
}

// reply answers with a value, or with the problem that an error is.
func (s *server) reply(c *gin.Context, code int, v any, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(code, v)
}

func (s *server) problem(c *gin.Context, err error) gen.Problem {
	a := answerFor(kindOf(err))
	var own *httpError
	detail := ""
	fields := fieldErrors(err)
	if errors.As(err, &own) {
		a = answer{own.status, strconv.Itoa(own.status), http.StatusText(own.status)}
		detail = own.detail
		fields = append(fields, listed(own.fields)...)
	}
	if detail == "" {
		detail = detailOf(a.status, err, fields)
	}
	p := gen.Problem{
		Type: "urn:wedsync:problem:" + a.slug, Title: a.title, Status: a.status,
		Instance: cut(c.Request.URL.EscapedPath(), 300), RequestId: callOf(c).requestID,
	}
	if detail != "" {
		p.Detail = &detail
	}
	if len(fields) > 0 && a.status < http.StatusInternalServerError {
		p.Errors = &fields
	}
	return p
}

// detailOf says what is wrong without the cause, which may hold what is not the
// caller's to know.
func detailOf(status int, err error, fields []gen.FieldError) string {
	var e *models.Error
	switch {
	case status == http.StatusInternalServerError:
		return "It was logged under the request id."
	case status == http.StatusServiceUnavailable:
		return "Nothing was changed that is not recorded; try again."
	case status == http.StatusUnauthorized && errors.As(err, &e):
		return "The token was refused: " + e.Rule + "."
	case len(fields) > 0:
		return fields[0].Field + " " + fields[0].Rule
	case errors.As(err, &e) && e.Rule != "":
		return e.Rule
	default:
		return ""
	}
}

// fieldErrors collects the fields at fault from a chain or a joined error.
func fieldErrors(err error) []gen.FieldError {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand, node by node
	case nil:
		return nil
	case *models.Error:
		if e.Field != "" && e.Kind != models.KindUnauthorised {
			return listed([]*models.Error{e})
		}
		return fieldErrors(e.Err)
	case interface{ Unwrap() []error }:
		var out []gen.FieldError
		for _, one := range e.Unwrap() {
			out = append(out, fieldErrors(one)...)
		}
		return out
	default:
		return fieldErrors(errors.Unwrap(err))
	}
}

func listed(errs []*models.Error) []gen.FieldError {
	out := make([]gen.FieldError, 0, len(errs))
	for _, e := range errs {
		f := gen.FieldError{Field: e.Field, Rule: e.Rule}
		if e.Value != "" {
			f.Value = &e.Value
		}
		out = append(out, f)
	}
	return out
}

// challenge is the WWW-Authenticate of RFC 6750. The rule is one of a few words.
func challenge(err error) string {
	var e *models.Error
	if !errors.As(err, &e) || e.Rule == "" || e.Rule == "missing" {
		return `Bearer realm="wedsync"`
	}
	return fmt.Sprintf(`Bearer realm="wedsync", error="invalid_token", error_description=%q`, e.Rule)
}
