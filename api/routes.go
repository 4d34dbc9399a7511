package api

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	swaggerFiles "github.com/swaggo/files/v2"

	"github.com/wedsync/scalability/models"
)

// route is one method on one path with the permission that it needs.
type route struct {
	method     string
	path       string // Gin's template
	permission models.Permission
	own        bool // the coordinator of the wedding in the path may too
	public     bool // no token, no permission, no audit: nothing behind it is anybody's
}

func (r route) key() string { return r.method + " " + r.path }

const base = "/api/scalability"

// routes is the whole surface: each route has exactly one permission or is public. What
// is registered but not listed here is denied, and a test fails.
func routes() []route {
	const (
		read     = models.PermissionRead
		monitor  = models.PermissionMonitor
		scale    = models.PermissionScaleStandard
		priority = models.PermissionWeddingPriority
		ingest   = models.PermissionIngest
		manage   = models.PermissionManage
		trail    = models.PermissionAudit
	)
	guarded := func(method, path string, p models.Permission) route {
		return route{method: method, path: base + path, permission: p}
	}
	return slices.Concat(pages(), calendarRoutes(), dayRoutes(), seasonRoutes(), accessRoutes(), alertRoutes(), aheadRoutes(), []route{
		guarded(http.MethodGet, "/status", read),
		guarded(http.MethodGet, "/metrics/realtime", monitor),
		guarded(http.MethodPost, "/metrics", ingest),
		guarded(http.MethodGet, "/decisions", read),
		guarded(http.MethodGet, "/decisions/:id", read),
		guarded(http.MethodPost, "/decisions/:id/approve", scale),
		guarded(http.MethodPost, "/decisions/:id/reject", scale),
		guarded(http.MethodPost, "/decisions/preview", read),
		guarded(http.MethodGet, "/audit", trail),
		guarded(http.MethodGet, "/savings", read),
		guarded(http.MethodPost, "/predictions", read),
		guarded(http.MethodGet, "/predictions/accuracy", read),
		guarded(http.MethodGet, "/services", read),
		guarded(http.MethodGet, "/services/:service", read),
		guarded(http.MethodPut, "/services/:service", manage),
		guarded(http.MethodGet, "/services/:service/explanation", read),
		guarded(http.MethodGet, "/services/:service/evaluations", read),
		guarded(http.MethodPost, "/services/:service/scale", scale),
		guarded(http.MethodPost, "/services/:service/pause", scale),
		guarded(http.MethodPost, "/services/:service/resume", scale),
		guarded(http.MethodPost, "/services/:service/override", scale),
		guarded(http.MethodGet, "/weddings", read),
		guarded(http.MethodPost, "/weddings", manage),
		guarded(http.MethodGet, "/weddings/:id", read),
		guarded(http.MethodPut, "/weddings/:id", manage),
		guarded(http.MethodPost, "/weddings/:id/priority", priority),
		guarded(http.MethodGet, "/reservations", read),
		guarded(http.MethodPost, "/reservations", scale),
		guarded(http.MethodGet, "/reservations/:id", read),
		guarded(http.MethodDelete, "/reservations/:id", scale),
		guarded(http.MethodGet, "/workflows", read),
		guarded(http.MethodPost, "/workflows", scale),
		guarded(http.MethodGet, "/workflows/:id", read),
		guarded(http.MethodPost, "/workflows/:id/signal", scale),
		guarded(http.MethodPost, "/workflows/:id/cancel", scale),
		guarded(http.MethodPost, "/payloads/decode", scale),
	})
}

// pages are the public routes.
func pages() []route {
	public := func(path string) route { return route{method: http.MethodGet, path: path, public: true} }
	return []route{
		public(base + "/health"),
		public(signInPath),
		public(callbackPath),
		{method: http.MethodPost, path: signOutPath, public: true},
		public(sessionPath),
		public("/api/openapi.yaml"),
		public("/api/docs"),
		public("/api/docs/*file"),
		public("/dashboard/scalability"),
		public("/dashboard/scalability/*file"),
		public("/scalability"),
		public("/"),
	}
}

// page is one file that is served as it is.
type page struct {
	data    []byte
	kind    string
	cache   string
	content string // Content-Security-Policy
}

const (
	dashboardPath = "/dashboard/scalability"
	docsPath      = "/api/docs"

	// Files whose name has a hash of their content never change.
	cacheForever = "public, max-age=31536000, immutable"
	cacheHour    = "public, max-age=3600"
	cacheNever   = "no-cache"

	// The charts' tooltips and the reference style elements by attribute; a stylesheet
	// or a script comes from here or not at all.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; " +
		"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WedSync Scalability API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
`

const docsScript = `SwaggerUIBundle({
  url: "/api/openapi.yaml",
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
`

// loadPages reads all files once: they are part of the program.
func (s *server) loadPages() error {
	s.pages = map[string]page{
		"/api/openapi.yaml":    {specification, "application/yaml; charset=utf-8", cacheNever, ""},
		docsPath:               {[]byte(docsPage), "text/html; charset=utf-8", cacheNever, pagePolicy},
		docsPath + "/":         {[]byte(docsPage), "text/html; charset=utf-8", cacheNever, pagePolicy},
		docsPath + "/start.js": {[]byte(docsScript), "text/javascript; charset=utf-8", cacheHour, ""},
	}
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"} {
		data, err := fs.ReadFile(swaggerFiles.FS, name)
		if err != nil {
			return fmt.Errorf("the reference's %s: %w", name, err)
		}
		s.pages[docsPath+"/"+name] = page{data, kindOfFile(name), cacheHour, ""}
	}
	return s.loadDashboard()
}

func (s *server) loadDashboard() error {
	err := fs.WalkDir(s.Dashboard, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(s.Dashboard, name)
		if err != nil {
			return err
		}
		p := page{data, kindOfFile(name), cacheNever, pagePolicy}
		if strings.HasPrefix(name, "assets/") {
			p.cache = cacheForever
		}
		s.pages[dashboardPath+"/"+name] = p
		return nil
	})
	if err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	index, ok := s.pages[dashboardPath+"/index.html"]
	if !ok {
		return errors.New("dashboard: index.html is missing")
	}
	s.pages[dashboardPath] = index
	s.pages[dashboardPath+"/"] = index
	return nil
}

// kindOfFile does not ask the machine's own tables: the answer must not differ.
func kindOfFile(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html", ".css", ".js", ".json", ".svg":
		return mime.TypeByExtension(ext)
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	default:
		return "application/octet-stream"
	}
}

func (s *server) registerPages(e *gin.Engine) {
	for _, p := range []string{
		"/api/openapi.yaml", docsPath, docsPath + "/*file", dashboardPath, dashboardPath + "/*file",
	} {
		e.GET(p, s.servePage)
	}
	toDashboard := func(c *gin.Context) { c.Redirect(http.StatusFound, dashboardPath) }
	e.GET("/", toDashboard)
	e.GET("/scalability", toDashboard)
}

func (s *server) servePage(c *gin.Context) {
	p, ok := s.pages[c.Request.URL.Path]
	if !ok {
		s.fail(c, &httpError{status: http.StatusNotFound, detail: "There is nothing at this path."})
		return
	}
	c.Header("Cache-Control", p.cache)
	if p.content != "" {
		c.Header("Content-Security-Policy", p.content)
	}
	c.Data(http.StatusOK, p.kind, p.data)
}
