package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// Bounds on live streams.
const (
	maxStreams           = 200
	maxStreamsPerSubject = 5
	maxStreamTime        = 15 * time.Minute // then the caller signs in again
	eventTimeout         = 10 * time.Second // to write one event
	produceTimeout       = 5 * time.Second
	liveDecisions        = 20
	heartbeats           = 10 // intervals between two comments, at which roles are looked at again
)

// GetLive gives the newest second once, or follows it as server-sent events.
func (s *server) GetLive(c *gin.Context) {
	if wantsStream(c) {
		s.stream(c)
		return
	}
	f, err := s.live.current(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "application/json; charset=utf-8", f.encode(map[string]fingerprint{}))
}

// snapshot reads one second for all streams. It runs under a viewer's scope: whoever
// may follow the stream may see all of it.
func (s *server) snapshot(ctx context.Context) (*frame, error) {
	ctx, cancel := context.WithTimeout(ctx, produceTimeout)
	defer cancel()
	ctx = models.WithScope(ctx, models.Scope{Role: models.ScopeViewer, Subject: "process:live"})
	now := s.now()
	services, _, err := s.read.services(ctx)
	if err != nil {
		services = nil // health says what is wrong
	}
	decisions, err := s.Decisions.Decisions(ctx, models.DecisionFilter{Limit: liveDecisions})
	if err != nil {
		decisions = nil // nothing new is known; what was sent stays
	}
	health := s.Health.Health(ctx, now)
	standing, _ := s.standing(ctx, now)
	judge(standing, services)
	return newFrame(models.LiveSnapshot{At: now, Health: health, Judgement: standing.Overall(health, services), Services: services, Decisions: decisions})
}

// frame is a snapshot that is encoded once, whoever follows.
type frame struct {
	head      []byte // the document up to the list of decisions
	decisions []encoded
}

type fingerprint [sha256.Size]byte

type encoded struct {
	id   string
	sum  fingerprint
	json []byte
}

// newFrame encodes a snapshot; decisions without explanation and evidence, which are
// long and have a route of their own. Of them only the need for approval is kept.
func newFrame(snap models.LiveSnapshot) (*frame, error) {
	f := &frame{}
	for _, d := range snap.Decisions {
		if d.Explanation != nil {
			d.Approval = d.Explanation.Approval
		}
		d.Explanation, d.Evidence = nil, nil
		raw, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		f.decisions = append(f.decisions, encoded{d.ID, sha256.Sum256(raw), raw})
	}
	snap.Decisions = nil
	raw, err := json.Marshal(snap)
	if err != nil {
		return nil, err
	}
	head, ok := bytes.CutSuffix(raw, []byte("null}"))
	if !ok {
		return nil, errors.New("the decisions of a live snapshot must be its last field")
	}
	f.head = head
	return f, nil
}

// encode gives the document with the decisions that are new or changed since sent.
func (f *frame) encode(sent map[string]fingerprint) []byte {
	out := append(bytes.Clone(f.head), '[')
	present := make(map[string]fingerprint, len(f.decisions))
	for _, d := range f.decisions {
		present[d.id] = d.sum
		if sent[d.id] == d.sum {
			continue
		}
		if out[len(out)-1] != '[' {
			out = append(out, ',')
		}
		out = append(out, d.json...)
		sent[d.id] = d.sum
	}
	if len(present) > 0 { // forget what left the window, so that a long stream stays small
		for id := range sent {
			if _, still := present[id]; !still {
				delete(sent, id)
			}
		}
	}
	return append(out, ']', '}')
}

// hub makes one snapshot per interval while anybody follows, and hands it to all.
type hub struct {
	every   time.Duration
	produce func(context.Context) (*frame, error)

	making sync.Mutex // one at a time
	mu     sync.Mutex
	last   *frame
	lastAt time.Time
	subs   map[*subscription]struct{}
	perSub map[string]int
	stop   context.CancelFunc
}

// subscription receives the newest frame; one that was not taken in time is replaced.
type subscription struct {
	subject string
	frames  chan *frame
}

func newHub(every time.Duration, produce func(context.Context) (*frame, error)) *hub {
	return &hub{every: every, produce: produce, subs: map[*subscription]struct{}{}, perSub: map[string]int{}}
}

// current is the newest frame, made now unless one of this interval is there.
func (h *hub) current(ctx context.Context) (*frame, error) {
	h.making.Lock()
	defer h.making.Unlock()
	h.mu.Lock()
	last := h.recent(h.every)
	h.mu.Unlock()
	if last != nil {
		return last, nil
	}
	return h.renew(ctx)
}

// recent is the last frame while it is younger than age. The caller holds mu.
func (h *hub) recent(age time.Duration) *frame {
	if time.Since(h.lastAt) < age {
		return h.last
	}
	return nil
}

// renew makes a frame. The caller holds making.
func (h *hub) renew(ctx context.Context) (*frame, error) {
	f, err := h.produce(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.last, h.lastAt = f, time.Now()
	h.mu.Unlock()
	return f, nil
}

// follow admits a stream; leave must be called when it ends.
func (h *hub) follow(subject string) (sub *subscription, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) >= maxStreams || h.perSub[subject] >= maxStreamsPerSubject {
		return nil, nil, &models.Error{Kind: models.KindRateLimited, Rule: "At most 5 live streams of one caller, and 200 in all."}
	}
	sub = &subscription{subject: subject, frames: make(chan *frame, 1)}
	if f := h.recent(2 * h.every); f != nil {
		sub.frames <- f // the first event comes at once
	}
	h.subs[sub] = struct{}{}
	h.perSub[subject]++
	if h.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop = cancel
		go h.run(ctx)
	}
	return sub, func() { h.leave(sub) }, nil
}

func (h *hub) leave(sub *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, sub)
	if h.perSub[sub.subject]--; h.perSub[sub.subject] == 0 {
		delete(h.perSub, sub.subject)
	}
	if len(h.subs) == 0 {
		h.stop()
		h.stop = nil
	}
}

// run produces until the last stream has left.
func (h *hub) run(ctx context.Context) {
	tick := time.NewTicker(h.every)
	defer tick.Stop()
	for {
		h.making.Lock()
		f, err := h.renew(ctx)
		h.making.Unlock()
		if err == nil && ctx.Err() == nil {
			h.publish(f)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *hub) publish(f *frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subs {
		select {
		case <-sub.frames: // a slow reader skips
		default:
		}
		sub.frames <- f
	}
}

// stream follows the hub until the caller goes, the token expires, the time is up or
// the server stops.
func (s *server) stream(c *gin.Context) {
	k := callOf(c)
	life := min(maxStreamTime, k.identity.ExpiresAt.Sub(k.at))
	sub, leave, err := s.live.follow(k.identity.Subject)
	if err != nil {
		c.Header("Retry-After", "30")
		s.fail(c, err)
		return
	}
	defer leave()
	end := time.NewTimer(life)
	defer end.Stop()
	beat := time.NewTicker(heartbeats * s.LiveInterval)
	defer beat.Stop()
	w := newEventWriter(c)
	if w.write("retry: 2000\n\n") != nil {
		return
	}
	sent := map[string]fingerprint{}
	for {
		var err error
		select {
		case <-c.Request.Context().Done():
			return
		case <-draining(c.Request.Context()):
			return
		case <-end.C:
			return
		case f := <-sub.frames:
			err = w.write("event: snapshot\ndata: " + string(f.encode(sent)) + "\n\n")
		case <-beat.C:
			if s.revoked(c) {
				return
			}
			err = w.write(": still here\n\n")
		}
		if err != nil {
			return
		}
	}
}

// revoked says that the caller may follow no longer: what they were known by has ended, or
// the role. While that cannot be read, what held at the beginning counts. Whoever connects
// again is told, and it is audited.
func (s *server) revoked(c *gin.Context) bool {
	id := callOf(c).identity
	if models.KindOf(s.Auth.Recheck(c.Request.Context(), id)) == models.KindUnauthorised {
		return true
	}
	if !s.RBAC {
		return false
	}
	who := id.Subject
	grants, err := s.Grants.Grants(c.Request.Context(), who, s.now())
	return err == nil && !s.Policies.Policy().Check(access.Request{Subject: who, Roles: grants.Roles, Permission: models.PermissionMonitor}).Allowed()
}

// eventWriter writes server-sent events, each with a deadline of its own.
type eventWriter struct {
	c  *gin.Context
	rc *http.ResponseController
}

func newEventWriter(c *gin.Context) eventWriter {
	w := eventWriter{c, http.NewResponseController(c.Writer)}
	_ = w.rc.SetReadDeadline(time.Time{}) // the request was read; its time-out must not end the stream
	c.Header("Content-Type", "text/event-stream; charset=utf-8")
	c.Header("X-Accel-Buffering", "no")
	c.Status(http.StatusOK)
	return w
}

func (w eventWriter) write(text string) error {
	_ = w.rc.SetWriteDeadline(time.Now().Add(eventTimeout)) // a recorder in a test has none
	if _, err := w.c.Writer.WriteString(text); err != nil {
		return err
	}
	return w.rc.Flush()
}

// wantsStream says whether the request is for the live stream.
func wantsStream(c *gin.Context) bool {
	return c.FullPath() == base+"/metrics/realtime" && strings.Contains(c.GetHeader("Accept"), "text/event-stream")
}
