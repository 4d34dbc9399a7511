package evaluate

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// open reads a gzipped file line by line. The error names the file.
func open(dir string, name ...string) (io.ReadCloser, error) {
	path := filepath.Join(append([]string{dir}, name...)...)
	f, err := os.Open(path) //nolint:gosec // the user names the folder
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

// Series is one history of a collection.
type Series struct {
	ID     string
	Train  []float64
	Future []float64 // what came after it
}

// ReadM4 reads the hourly series of the M4 competition: one line each, the name and its
// values, in a file to learn from and one to be judged on.
func ReadM4(dir string) ([]Series, error) {
	train, err := readWide(dir, "hourly-train.csv.gz")
	if err != nil {
		return nil, err
	}
	test, err := readWide(dir, "hourly-test.csv.gz")
	if err != nil {
		return nil, err
	}
	futures := map[string][]float64{}
	for _, s := range test {
		futures[s.ID] = s.Train
	}
	for i, s := range train {
		future, ok := futures[s.ID]
		if !ok {
			return nil, fmt.Errorf("evaluate: series %s has no values to be judged on", s.ID)
		}
		train[i].Future = future
	}
	return train, nil
}

func readWide(dir, name string) ([]Series, error) {
	f, err := open(dir, "m4-hourly", name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	var out []Series
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("evaluate: %s: %w", name, err)
		}
		s := Series{ID: row[0]}
		for _, cell := range row[1:] {
			if cell == "" {
				break
			}
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil && len(s.Train) == 0 && len(out) == 0 {
				break // a heading
			}
			if err != nil {
				return nil, fmt.Errorf("evaluate: %s, series %s: %w", name, s.ID, err)
			}
			s.Train = append(s.Train, v)
		}
		if len(s.Train) > 0 {
			out = append(out, s)
		}
	}
}
