package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/wedsync/scalability/models"
)

// Bounds on one request.
const (
	maxBody        = 256 << 10
	maxMetricsBody = 4 << 20
	requestTimeout = 20 * time.Second // for the handler; the answer may take a little longer
	writeTimeout   = 30 * time.Second
)

// call is what the chain knows of a request.
type call struct {
	requestID string
	at        time.Time
	identity  models.Identity
	roles     []models.Role
	own       bool   // let in as the coordinator of the wedding in the path
	body      []byte // read and valid; nil where the route takes none
}

const callKey = "wedsync.call"

// callOf is the call of a request; an empty one before identifyRequest.
func callOf(c *gin.Context) *call {
	if v, ok := c.Get(callKey); ok {
		if k, ok := v.(*call); ok {
			return k
		}
	}
	return &call{}
}

// requestIDForm is what a caller's own request id may look like.
var requestIDForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:-]{0,63}$`)

// identifyRequest keeps a sane X-Request-Id or makes one, and echoes it.
func (s *server) identifyRequest(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if !requestIDForm.MatchString(id) {
		id = newID()
	}
	c.Set(callKey, &call{requestID: id, at: s.now()})
	c.Header("X-Request-Id", id)
	c.Next()
}

// observe reports the answer, also one that came out of a panic.
func (s *server) observe(c *gin.Context) {
	begin := time.Now()
	defer func() {
		took := time.Since(begin)
		if s.Observe != nil {
			s.Observe(c.FullPath(), c.Request.Method, c.Writer.Status(), took)
		}
		s.Log.DebugContext(c.Request.Context(), "request", "requestId", callOf(c).requestID, "method", c.Request.Method,
			"route", c.FullPath(), "status", c.Writer.Status(), "took", took, "subject", callOf(c).identity.Subject)
	}()
	c.Next()
}

// recoverPanic turns a panic into an answer. Where one was begun already, the
// connection is cut, so that half an answer is not taken for a whole one.
func (s *server) recoverPanic(c *gin.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(r)
		}
		s.Log.ErrorContext(c.Request.Context(), "panic", "requestId", callOf(c).requestID, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		s.fail(c, &models.Error{Op: "panic"})
	}()
	c.Next()
}

// secureHeaders sets what every answer carries; pages have a policy of their own.
func (s *server) secureHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if strings.HasPrefix(s.SiteURL, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	c.Next()
}

// bound limits the body and the time of a request. A live stream has no end of its own
// here; it sets its deadlines event by event.
func (s *server) bound(c *gin.Context) {
	limit := int64(maxBody)
	switch c.FullPath() {
	case base + "/metrics", decodePath:
		limit = maxMetricsBody
	case importPath:
		limit = maxImportBody
	}
	if c.Request.Body != nil {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	}
	if wantsStream(c) {
		c.Next()
		return
	}
	// A recorder in a test has no connection to set a deadline on.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(writeTimeout))
	ctx, cancel := context.WithTimeout(c.Request.Context(), requestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// newID is a UUID of version 7, which sorts by time; of version 4 where that cannot be
// made.
func newID() string {
	if id, err := uuid.NewV7(); err == nil {
		return id.String()
	}
	return uuid.NewString()
}

// escapeSegment escapes text for one segment of a path.
func escapeSegment(s string) string { return url.PathEscape(s) }

// cut bounds text that came from outside.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
