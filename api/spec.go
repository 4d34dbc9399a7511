package api

import (
	"bytes"
	_ "embed" // the specification is part of the program
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"go.yaml.in/yaml/v3"

	"github.com/wedsync/scalability/models"
)

//go:embed openapi.yaml
var specification []byte

// document is the part of OpenAPI that inputs are checked by.
type document struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas    map[string]*schema    `yaml:"schemas"`
		Parameters map[string]*parameter `yaml:"parameters"`
	} `yaml:"components"`
}

type operation struct {
	ID         string       `yaml:"operationId"`
	Permission *string      `yaml:"x-permission"`
	Parameters []*parameter `yaml:"parameters"`
	Body       *struct {
		Content map[string]struct {
			Schema *schema `yaml:"schema"`
		} `yaml:"content"`
	} `yaml:"requestBody"`
}

type parameter struct {
	Ref    string  `yaml:"$ref"`
	Name   string  `yaml:"name"`
	In     string  `yaml:"in"`
	Schema *schema `yaml:"schema"`
}

type schema struct {
	Ref        string             `yaml:"$ref"`
	Type       string             `yaml:"type"`
	Format     string             `yaml:"format"`
	Nullable   bool               `yaml:"nullable"`
	Enum       []string           `yaml:"enum"`
	Minimum    *float64           `yaml:"minimum"`
	Maximum    *float64           `yaml:"maximum"`
	MinLength  int                `yaml:"minLength"`
	MaxLength  int                `yaml:"maxLength"`
	Pattern    string             `yaml:"pattern"`
	Items      *schema            `yaml:"items"`
	MinItems   int                `yaml:"minItems"`
	MaxItems   int                `yaml:"maxItems"`
	Required   []string           `yaml:"required"`
	Properties map[string]*schema `yaml:"properties"`
	Additional yaml.Node          `yaml:"additionalProperties"`
	GoType     string             `yaml:"x-go-type"`
	Example    any                `yaml:"example"`
}

func readDocument() (*document, error) {
	d := &document{}
	if err := yaml.Unmarshal(specification, d); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return d, nil
}

// readSpecification compiles the rules of openapi.yaml, so that what is documented is
// what is checked.
func (s *server) readSpecification() error {
	d, err := readDocument()
	if err != nil {
		return err
	}
	s.inputs, s.schema = map[string]input{}, map[string]*rule{}
	for name, sc := range d.Components.Schemas {
		if s.schema[name], err = d.compile(sc); err != nil {
			return fmt.Errorf("openapi.yaml: %s: %w", name, err)
		}
	}
	for path, item := range d.Paths {
		for method, op := range item {
			in, err := d.input(op)
			if err != nil {
				return fmt.Errorf("openapi.yaml: %s: %w", op.ID, err)
			}
			s.inputs[strings.ToUpper(method)+" "+ginPath(path)] = in
		}
	}
	return nil
}

// ginPath turns {id} into :id.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func (d *document) input(op operation) (input, error) {
	in := input{path: map[string]*rule{}, query: map[string]*rule{}}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
		}
		if p == nil {
			return in, errors.New("a parameter refers to nothing")
		}
		r, err := d.compile(p.Schema)
		if err != nil {
			return in, fmt.Errorf("%s: %w", p.Name, err)
		}
		switch p.In {
		case "path":
			in.path[p.Name] = r
		case "query":
			in.query[p.Name] = r
		default:
			return in, fmt.Errorf("%s: only path and query are checked", p.Name)
		}
	}
	if op.Body == nil {
		return in, nil
	}
	content, isJSON := op.Body.Content["application/json"]
	if !isJSON { // a file, which its handler reads
		return in, nil
	}
	var err error
	in.body, err = d.compile(content.Schema)
	return in, err
}

// compile turns a schema into a rule. Our schemas do not refer to themselves.
func (d *document) compile(sc *schema) (*rule, error) {
	if sc == nil {
		return nil, errors.New("a schema is missing")
	}
	name := ""
	if sc.Ref != "" {
		name = strings.TrimPrefix(sc.Ref, "#/components/schemas/")
		if sc = d.Components.Schemas[name]; sc == nil {
			return nil, fmt.Errorf("there is no %s", name)
		}
	}
	r := &rule{
		name: name, kind: sc.Type, nullable: sc.Nullable, enum: sc.Enum, min: sc.Minimum, max: sc.Maximum,
		minLength: sc.MinLength, maxLength: sc.MaxLength, date: sc.Format == "date-time",
		minItems: sc.MinItems, maxItems: sc.MaxItems, required: sc.Required, fields: map[string]*rule{},
	}
	if r.kind == "" {
		return nil, errors.New("a schema needs a type")
	}
	var err error
	if sc.Pattern != "" {
		if r.pattern, err = regexp.Compile(sc.Pattern); err != nil {
			return nil, err
		}
	}
	if sc.Items != nil {
		if r.items, err = d.compile(sc.Items); err != nil {
			return nil, err
		}
	}
	for field, f := range sc.Properties {
		if r.fields[field], err = d.compile(f); err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
	}
	return r, d.compileOthers(sc, r)
}

// compileOthers reads additionalProperties: a truth value or a schema.
func (d *document) compileOthers(sc *schema, r *rule) (err error) {
	switch sc.Additional.Kind {
	case yaml.ScalarNode:
		r.closed = sc.Additional.Value == "false"
	case yaml.MappingNode:
		var others schema
		if err := sc.Additional.Decode(&others); err != nil {
			return err
		}
		r.others, err = d.compile(&others)
	default: // absent: other fields are allowed
	}
	return err
}

// input is what the specification says of a route's input.
type input struct {
	path  map[string]*rule
	query map[string]*rule
	body  *rule // nil: the route takes no body
}

// rawBody is the component whose bodies are decoded by a scanner of their own.
const rawBody = "SampleBatch"

// validate holds a request to the specification after its caller was let in. The body
// is read here; handlers decode what is known to be valid.
func (s *server) validate(c *gin.Context) {
	in, known := s.inputs[c.Request.Method+" "+c.FullPath()]
	if !known {
		s.fail(c, errors.New("a registered route is not in the specification"))
		return
	}
	if errs := s.pathErrors(c); len(errs) > 0 {
		s.fail(c, &httpError{status: http.StatusNotFound, detail: "There is nothing of that name.", fields: errs})
		return
	}
	if err := in.checkQuery(c.Request.URL.RawQuery); err != nil {
		s.fail(c, err)
		return
	}
	if in.body == nil || in.body.name == rawBody {
		c.Next()
		return
	}
	body, err := readBody(c.Request)
	if err == nil {
		err = in.body.checkDocument(body)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	callOf(c).body = body
	c.Next()
}

// pathErrors checks the parameters in the path.
func (s *server) pathErrors(c *gin.Context) []*models.Error {
	var b breaches
	for name, r := range s.inputs[c.Request.Method+" "+c.FullPath()].path {
		r.check(c.Param(name), name, &b)
	}
	return b
}

// checkQuery refuses parameters that are not known, stand twice or break their rule.
func (in input) checkQuery(raw string) error {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return models.Invalid("query", raw, "must be name=value pairs, percent-encoded and separated by &")
	}
	var b breaches
	for _, name := range slices.Sorted(maps.Keys(q)) {
		r, known := in.query[name]
		switch {
		case !known && len(in.query) == 0:
			b.add(name, q.Get(name), "is not known: this route takes no parameters")
		case !known:
			b.add(name, q.Get(name), "is not known: must be one of "+strings.Join(slices.Sorted(maps.Keys(in.query)), ", "))
		case len(q[name]) > 1:
			b.add(name, strings.Join(q[name], ", "), "must stand once")
		default:
			r.check(r.fromText(q.Get(name)), name, &b)
		}
	}
	return b.err()
}

// readBody takes a JSON body as it is. Metrics have a reader of their own, which also
// takes gzip.
func readBody(r *http.Request) ([]byte, error) {
	if err := checkMediaType(r); err != nil {
		return nil, err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, unsupported("Content-Encoding", e, "must be absent here")
	}
	return drainBody(r.Body, maxBody)
}

func checkMediaType(r *http.Request) error {
	given := r.Header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(given)
	charset, has := params["charset"]
	if err != nil || kind != "application/json" || has && !strings.EqualFold(charset, "utf-8") {
		return unsupported("Content-Type", given, "must be application/json")
	}
	return nil
}

func unsupported(header, value, rule string) error {
	return &httpError{
		status: http.StatusUnsupportedMediaType, detail: header + " " + rule + ".",
		fields: []*models.Error{models.Invalid(header, value, rule)},
	}
}

// drainBody reads all of a body, bounded before and after any decompression.
func drainBody(from io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, limit+1))
	var passed *http.MaxBytesError
	if errors.As(err, &passed) || int64(len(data)) > limit {
		return nil, &models.Error{Kind: models.KindTooLarge, Field: "body", Rule: fmt.Sprintf("must be at most %d bytes", limit)}
	}
	if err != nil {
		return nil, models.Invalid("body", "", "could not be read to its end")
	}
	return data, nil
}

// checkDocument parses a body and holds it to the rule.
func (r *rule) checkDocument(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return models.Invalid("body", "", "is required: a JSON object")
	}
	v, err := parse(body)
	if err != nil {
		return err
	}
	var b breaches
	r.check(v, "", &b)
	return b.err()
}

// decode turns a body that was found valid into a value.
func decode[T any](c *gin.Context) (T, error) {
	var v T
	if err := json.Unmarshal(callOf(c).body, &v); err != nil {
		return v, models.Invalid("body", "", "does not fit: "+cut(err.Error(), 200))
	}
	return v, nil
}
