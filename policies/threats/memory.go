package threats

import (
	"container/list"
	"iter"
	"time"
)

// recent is a map that forgets what was not touched for longest when it is full.
type recent[V any] struct {
	most  int
	order *list.List // of *held[V], newest first
	items map[string]*list.Element
}

type held[V any] struct {
	key   string
	value V
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{most: most, order: list.New(), items: map[string]*list.Element{}}
}

// find gives what is held for a key, nil where there is nothing.
func (r *recent[V]) find(key string) *V {
	el, ok := r.items[key]
	if !ok {
		return nil
	}
	r.order.MoveToFront(el)
	return &el.Value.(*held[V]).value
}

// at gives what is held for a key, or a new zero value.
func (r *recent[V]) at(key string) *V {
	if v := r.find(key); v != nil {
		return v
	}
	if len(r.items) >= r.most {
		oldest := r.order.Back()
		delete(r.items, oldest.Value.(*held[V]).key)
		r.order.Remove(oldest)
	}
	h := &held[V]{key: key}
	r.items[key] = r.order.PushFront(h)
	return &h.value
}

// all goes through what is held, in no order that means anything.
func (r *recent[V]) all() iter.Seq2[string, *V] {
	return func(yield func(string, *V) bool) {
		for el := r.order.Front(); el != nil; el = el.Next() {
			h := el.Value.(*held[V])
			if !yield(h.key, &h.value) {
				return
			}
		}
	}
}

func (r *recent[V]) len() int { return len(r.items) }

// sliding counts distinct keys that were seen within a window. A key that is seen all the
// time is noted once in a grain, so that its memory does not grow with the calls.
type sliding struct {
	window time.Duration
	grain  time.Duration
	most   int
	last   map[string]time.Time
	queue  []stamp // from head on, oldest first
	head   int
}

type stamp struct {
	key string
	at  time.Time
}

func newSliding(window, grain time.Duration, most int) *sliding {
	return &sliding{window: window, grain: grain, most: most, last: map[string]time.Time{}}
}

func (s *sliding) add(key string, at time.Time) {
	s.prune(at)
	last, known := s.last[key]
	if known && at.Sub(last) <= s.grain || !known && len(s.last) >= s.most || len(s.queue)-s.head >= 4*s.most {
		return
	}
	s.last[key] = at
	s.queue = append(s.queue, stamp{key, at})
}

func (s *sliding) prune(now time.Time) {
	for s.head < len(s.queue) && now.Sub(s.queue[s.head].at) >= s.window {
		if gone := s.queue[s.head]; s.last[gone.key].Equal(gone.at) {
			delete(s.last, gone.key)
		}
		s.head++
	}
	if s.head > 64 && s.head > len(s.queue)/2 {
		s.queue = append(s.queue[:0], s.queue[s.head:]...)
		s.head = 0
	}
}

func (s *sliding) count(now time.Time) int {
	s.prune(now)
	return len(s.last)
}

// evidence keeps the IDs of the newest entries.
type evidence []string

func (e *evidence) add(id string) {
	if len(*e) >= maxEvidence {
		*e = append((*e)[:0], (*e)[1:]...)
	}
	*e = append(*e, id)
}
