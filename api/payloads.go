package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

const decodePath = base + "/payloads/decode"

// shareWithTemporalUI lets pages of the Temporal UI, and of no other origin, read what the
// codec endpoint answers, and answers what their browser asks before it sends a token there.
func (s *server) shareWithTemporalUI(c *gin.Context) {
	if c.Request.URL.Path != decodePath {
		return
	}
	h := c.Writer.Header()
	h.Set("Vary", "Origin")
	origin := c.GetHeader("Origin")
	if origin == "" || origin != s.TemporalUI {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if c.Request.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Namespace")
		h.Set("Access-Control-Max-Age", "600")
		c.AbortWithStatus(http.StatusNoContent)
	}
}

// DecodePayloads opens what workflows carry, for the Temporal UI.
func (s *server) DecodePayloads(c *gin.Context) {
	body := callOf(c).body
	if s.Payloads == nil {
		c.Data(http.StatusOK, "application/json", body)
		return
	}
	out, err := s.Payloads.OpenPayloads(c.Request.Context(), body)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "application/json", out)
}
