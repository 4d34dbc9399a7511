package evaluate

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// open reads a file, unpacked where its name ends in .gz; where that one is not there the
// same without the ending will do. The error names the file.
func open(dir string, name ...string) (io.ReadCloser, error) {
	path := filepath.Join(append([]string{dir}, name...)...)
	f, err := os.Open(path) //nolint:gosec // the user names the folder
	if plain, packed := strings.CutSuffix(path, ".gz"); packed && errors.Is(err, os.ErrNotExist) {
		if f, other := os.Open(plain); other == nil { //nolint:gosec // as above
			return f, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return f, nil
	}
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("evaluate: %s: %w", path, err), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

// rows reads CSV, past the mark that some programs put before the first character.
func rows(f io.Reader) *csv.Reader {
	b := bufio.NewReader(f)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = b.Discard(len(mark)) // they are there
	}
	return csv.NewReader(b)
}

// number reads one that may be missing, which is NaN. What cannot have been measured is
// refused.
func number(cell string) (float64, error) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "", "na", "nan", "null":
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q must be a number, or empty or NA where it is missing", cell)
	}
	if v < 0 {
		return 0, fmt.Errorf("%q must be at least 0", cell)
	}
	return v, nil
}

// Series is one history of a collection.
type Series struct {
	ID     string
	Train  []float64 // what was missing is filled from the day before
	Future []float64 // what came after it, NaN where that is missing
}

// ReadM4 reads the hourly series of the M4 competition: one line each, the name and its
// values, in a file to learn from and one to be judged on. A series that is in one of them
// alone is left out, and named.
func ReadM4(dir string) (series []Series, leftOut []string, err error) {
	train, err := readWide(dir, "hourly-train.csv.gz")
	if err != nil {
		return nil, nil, err
	}
	test, err := readWide(dir, "hourly-test.csv.gz")
	if err != nil {
		return nil, nil, err
	}
	futures := map[string][]float64{}
	for _, s := range test {
		futures[s.ID] = s.Train
	}
	for _, s := range train {
		future, ok := futures[s.ID]
		delete(futures, s.ID)
		if !ok {
			leftOut = append(leftOut, s.ID)
			continue
		}
		series = append(series, Series{ID: s.ID, Train: filled(s.Train), Future: future})
	}
	for _, s := range test {
		if _, ok := futures[s.ID]; ok {
			leftOut = append(leftOut, s.ID)
		}
	}
	if len(series) == 0 {
		return nil, nil, fmt.Errorf("evaluate: no series of %s has values to be judged on in %s",
			filepath.Join(dir, "m4-hourly", "hourly-train.csv.gz"), "hourly-test.csv.gz")
	}
	return series, leftOut, nil
}

// filled lets an hour that is missing be as that of the day before; before any is known,
// as the first that is.
func filled(y []float64) []float64 {
	first := slices.IndexFunc(y, func(v float64) bool { return !math.IsNaN(v) })
	for t, v := range y {
		switch {
		case !math.IsNaN(v):
		case t < first || t < day:
			y[t] = y[max(first, t-1)]
		default:
			y[t] = y[t-day]
		}
	}
	return y
}

// readWide reads a line for each series. Cells after the last value only fill the line up.
func readWide(dir, name string) ([]Series, error) {
	f, err := open(dir, "m4-hourly", name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := rows(f)
	r.FieldsPerRecord = -1
	var out []Series
	for n := 0; ; n++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("evaluate: m4-hourly/%s: %w", name, err)
		}
		s := Series{ID: row[0]}
		for i, cell := range row[1:] {
			v, err := number(cell)
			if err != nil && n == 0 && i == 0 {
				break // a heading
			}
			if err != nil {
				line, _ := r.FieldPos(i + 1)
				return nil, fmt.Errorf("evaluate: m4-hourly/%s, line %d, series %s, value %d: %w", name, line, s.ID, i+1, err)
			}
			s.Train = append(s.Train, v)
		}
		for k := len(s.Train); k > 0 && math.IsNaN(s.Train[k-1]); k-- {
			s.Train = s.Train[:k-1]
		}
		if len(s.Train) > 0 {
			out = append(out, s)
		}
	}
}
