package replay

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// Bounds of a trace. The longest public ones are a few million seconds.
const (
	maxPeriods  = 20_000_000
	maxLine     = 200
	maxCount    = 1e9
	timeLayout  = time.DateTime // 2006-01-02 15:04:05, UTC
	holdPeriods = 5             // a gap that long is filled with the level before it
)

// Trace is a count of requests per period, without interpretation.
//
// Two forms are read, plain or .gz. A CSV with the header "period,count" has a UTC
// time and a count per line, one line per second or per minute; lines may be missing,
// and a missing period is missing, not zero. Text of one column has a count per second
// and line, with or without a header, and no times.
type Trace struct {
	Name   string
	Start  time.Time     // of the first period; zero where the trace has no times
	Period time.Duration // one second or one minute
	counts []float64
	known  []bool // false: the trace has no line for the period
}

// Len is the number of periods, missing ones included.
func (t Trace) Len() int { return len(t.counts) }

// Duration is the time that the trace covers.
func (t Trace) Duration() time.Duration { return time.Duration(len(t.counts)) * t.Period }

// Count gives the requests of one period; ok is false where it is missing.
func (t Trace) Count(i int) (count float64, ok bool) { return t.counts[i], t.known[i] }

// At is the time of an offset into the trace; ok is false where the trace has none.
func (t Trace) At(offset time.Duration) (at time.Time, ok bool) {
	return t.Start.Add(offset), !t.Start.IsZero()
}

// LineError says which line of a trace cannot be read, and why.
type LineError struct {
	Name  string // of the file
	Line  int    // from 1
	Value string // what stands there, bounded
	Rule  string // what should
}

// Error names file, line, value and rule.
func (e *LineError) Error() string {
	return fmt.Sprintf("trace %s, line %d: %q: %s", e.Name, e.Line, e.Value, e.Rule)
}

// ReadFile reads a trace from a file, unpacked when its name ends in .gz.
func ReadFile(path string) (Trace, error) {
	f, err := os.Open(path) //nolint:gosec // the file is the user's choice
	if err != nil {
		return Trace{}, fmt.Errorf("trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	if !strings.HasSuffix(path, ".gz") {
		return Read(path, f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return Trace{}, fmt.Errorf("trace %s: is not a gzip file: %w", path, err)
	}
	return Read(path, z)
}

// Read reads a trace; name is what errors call it.
func Read(name string, r io.Reader) (Trace, error) {
	p := parser{trace: Trace{Name: name}, lines: bufio.NewScanner(r)}
	p.lines.Buffer(make([]byte, 0, 4096), 4096)
	if err := p.run(); err != nil {
		return Trace{}, err
	}
	return p.trace, nil
}

// parser reads line by line. The first line decides which form the file has.
type parser struct {
	trace Trace
	lines *bufio.Scanner
	line  int
	timed bool
	begun bool      // a first line was seen
	at    time.Time // of the last row
	first *row      // until the second row tells the period
}

type row struct {
	at    time.Time
	count float64
}

func (p *parser) run() error {
	for p.lines.Scan() {
		p.line++
		text := strings.TrimSpace(strings.TrimPrefix(p.lines.Text(), "\ufeff"))
		if text == "" {
			continue
		}
		if !p.begun {
			p.begun = true
			if p.header(text) {
				continue
			}
		}
		if err := p.row(text); err != nil {
			return err
		}
	}
	switch err := p.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		p.line++
		return p.fail("…", "is longer than any line of a trace")
	case err != nil:
		return fmt.Errorf("trace %s, after line %d: %w", p.trace.Name, p.line, err)
	case p.first != nil:
		return p.fail(p.first.at.Format(timeLayout), "one row does not tell the period; at least two are needed")
	case len(p.trace.counts) == 0:
		return fmt.Errorf("trace %s: holds no counts", p.trace.Name)
	}
	return nil
}

// header takes the first line where it is no data.
func (p *parser) header(text string) bool {
	p.trace.Period = time.Second
	if strings.ContainsRune(text, ',') {
		p.timed, p.trace.Period = true, 0
		return strings.EqualFold(strings.ReplaceAll(text, " ", ""), "period,count")
	}
	_, err := strconv.ParseFloat(text, 64)
	return err != nil && !strings.ContainsAny(text, "0123456789.+-")
}

func (p *parser) row(text string) error {
	if len(text) > maxLine {
		return p.fail(text[:40]+"…", "is longer than any line of a trace")
	}
	if !p.timed {
		count, err := p.count(text)
		if err != nil {
			return err
		}
		return p.append(count, true)
	}
	at, count, err := p.timedRow(text)
	if err != nil {
		return err
	}
	return p.place(row{at, count})
}

func (p *parser) timedRow(text string) (at time.Time, count float64, err error) {
	when, what, found := strings.Cut(text, ",")
	if !found {
		return at, 0, p.fail(text, "must be a time and a count, as in 1998-06-10 15:30:00,1234")
	}
	at, err = time.Parse(timeLayout, strings.TrimSpace(when))
	if err != nil {
		return at, 0, p.fail(when, "must be a UTC time such as 1998-06-10 15:30:00")
	}
	count, err = p.count(strings.TrimSpace(what))
	return at, count, err
}

func (p *parser) count(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > maxCount {
		return 0, p.fail(text, "must be a count of requests from 0 to 1000000000")
	}
	return v, nil
}

// place puts a timed row where it belongs. The first two rows tell the period: less
// than a minute apart means seconds.
func (p *parser) place(r row) error {
	if p.first == nil && p.trace.Period == 0 {
		p.first, p.at, p.trace.Start = &r, r.at, r.at
		return nil
	}
	gap := r.at.Sub(p.at)
	if gap <= 0 {
		return p.fail(r.at.Format(timeLayout), "must be later than the row before, "+p.at.Format(timeLayout))
	}
	if p.first != nil {
		p.trace.Period = time.Minute
		if gap%time.Minute != 0 {
			p.trace.Period = time.Second
		}
		if err := p.append(p.first.count, true); err != nil {
			return err
		}
		p.first = nil
	}
	if gap%p.trace.Period != 0 {
		return p.fail(r.at.Format(timeLayout), "is not on a full "+periodName(p.trace.Period)+", as the first rows are")
	}
	missing := int64(gap/p.trace.Period) - 1
	if missing > maxPeriods {
		return p.fail(r.at.Format(timeLayout), fmt.Sprintf("the trace is longer than %d periods", maxPeriods))
	}
	for range missing {
		if err := p.append(0, false); err != nil {
			return err
		}
	}
	p.at = r.at
	return p.append(r.count, true)
}

func (p *parser) append(count float64, known bool) error {
	if len(p.trace.counts) == maxPeriods {
		return p.fail("", fmt.Sprintf("the trace is longer than %d periods", maxPeriods))
	}
	p.trace.counts = append(p.trace.counts, count)
	p.trace.known = append(p.trace.known, known)
	return nil
}

func (p *parser) fail(value, rule string) error {
	if len(value) > 80 {
		value = strings.ToValidUTF8(value[:80], "") + "…"
	}
	return &LineError{Name: p.trace.Name, Line: p.line, Value: value, Rule: rule}
}

func periodName(d time.Duration) string {
	if d == time.Minute {
		return "minute"
	}
	return "second"
}
