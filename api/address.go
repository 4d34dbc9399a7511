package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// remoteIP is the address that a call came from. It is the connection's, unless that is one
// of the proxies that are trusted: then it is the last address of X-Forwarded-For that is
// none of theirs. What stands before it was written by the caller.
func (s *server) remoteIP(c *gin.Context) string {
	from := c.RemoteIP()
	at, err := netip.ParseAddr(from)
	if err != nil || !s.trusted(at) {
		return from
	}
	hops := forwarded(c.Request.Header)
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // a proxy of ours writes addresses: this is the caller's
		}
		at = next
		if !s.trusted(at) {
			break
		}
	}
	return at.Unmap().WithZone("").String()
}

func (s *server) trusted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// forwarded lists the addresses in order, also where there are several headers.
func forwarded(h http.Header) []string {
	all := h.Values("X-Forwarded-For")
	if len(all) == 0 {
		return nil
	}
	return strings.Split(strings.Join(all, ","), ",")
}

// source is what calls without a good credential are counted by: an IPv4 address, or the /64
// of an IPv6 address, all of which one caller has.
func source(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
