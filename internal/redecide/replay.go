package redecide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// Result says whether a decision comes out as it was recorded.
type Result struct {
	Identical   bool               // byte by byte
	Explanation models.Explanation // as it comes out now
	Differences []Difference       // none where it is identical
}

// Difference is one place in the explanation where record and result differ. What one of
// them does not have is "".
type Difference struct {
	Path     string
	Recorded string
	Now      string
}

// Replay decides again on the inputs of an evaluation and compares the hash of the inputs
// and every byte of the explanation. It is a conflict where this program does not know the
// inputs as they were recorded: another version decided on them.
func Replay(e models.Evaluation) (Result, error) {
	const op = "redecide.Replay"
	in, err := readInputs(e)
	if err != nil {
		return Result{}, otherVersion(op, e, err.Error())
	}
	if hash := scaling.Fingerprint(in); hash != e.InputsHash {
		return Result{}, otherVersion(op, e, fmt.Sprintf("its inputs hash to %s here, and to %s there", hash, e.InputsHash))
	}
	var recorded models.Explanation
	if err := json.Unmarshal(e.Explanation, &recorded); err != nil {
		return Result{}, fmt.Errorf("%s: %w", op, err)
	}
	made, _ := scaling.Decide(in)
	made.DecisionID = recorded.DecisionID // it is given after the decision
	now, err := json.Marshal(made)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", op, err)
	}
	res := Result{Identical: bytes.Equal(now, e.Explanation), Explanation: made}
	if !res.Identical {
		res.Differences, err = differences(e.Explanation, now)
	}
	return res, err
}

// readInputs refuses what it does not know: a field that is left out could decide.
func readInputs(e models.Evaluation) (scaling.Inputs, error) {
	var in scaling.Inputs
	d := json.NewDecoder(bytes.NewReader(e.Inputs))
	d.DisallowUnknownFields()
	return in, d.Decode(&in)
}

func otherVersion(op string, e models.Evaluation, why string) error {
	return &models.Error{
		Kind: models.KindConflict, Op: op, Field: "policy", Value: e.Policy,
		Rule: "was decided on by another version of this program, which alone can decide on it again: " + why,
	}
}

// differences compares two documents place by place.
func differences(recorded, now []byte) ([]Difference, error) {
	a, b := map[string]string{}, map[string]string{}
	if err := flatten(recorded, a); err != nil {
		return nil, err
	}
	if err := flatten(now, b); err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	for p := range a {
		paths[p] = true
	}
	for p := range b {
		paths[p] = true
	}
	var out []Difference
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if a[p] != b[p] {
			out = append(out, Difference{Path: p, Recorded: a[p], Now: b[p]})
		}
	}
	if len(out) == 0 {
		out = []Difference{{Path: "bytes", Recorded: string(recorded), Now: string(now)}}
	}
	return out, nil
}

// flatten writes each value of a document under its path, as JSON.
func flatten(doc []byte, into map[string]string) error {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("redecide: %w", err)
	}
	walk("", v, into)
	return nil
}

func walk(path string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			walk(join(path, name), x, into)
		}
	case []any:
		for i, x := range v {
			walk(path+"["+strconv.Itoa(i)+"]", x, into)
		}
	default:
		raw, err := json.Marshal(v)
		if err != nil { // what was decoded always marshals
			raw = []byte(fmt.Sprint(v))
		}
		into[path] = string(raw)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
