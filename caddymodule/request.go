package caddymodule

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
)

const (
	infoAnonymous   = "exists=?0"
	infoUnavailable = "exists=?0, unavailable"
)

// forward tells the backend about the session. The header map is changed in
// place: placeholders and later handlers look at this one.
func (x *exchange) forward() error {
	h := x.r.Header
	s, names := x.Session, &x.h.names
	if !s.Exists() {
		x.inject(jsondoc.NewObject())
		h[names.data] = x.line(0, x.h.encode(emptyData))
		info := infoAnonymous
		if x.unavailable {
			info = infoUnavailable
		}
		h[names.info] = x.line(1, info)
		return nil
	}

	data := jsondoc.WithoutSurrogates(s.Data())
	if limit := max(maxForward, x.h.keeper.Options().MaxSize); len(data) > limit && x.h.MaxHeaders == 0 {
		return x.forwarding(http.StatusInternalServerError, fmt.Errorf("its data are %d bytes, at most %d are forwarded", len(data), limit))
	}
	if !x.h.forwardAll || len(x.h.inject) > 0 {
		doc, err := jsondoc.Parse(data, sessionstore.MaxDepth)
		if err != nil {
			return x.forwarding(http.StatusServiceUnavailable, sessionstore.ErrRecord)
		}
		x.inject(doc)
		if !x.h.forwardAll {
			data = string(jsondoc.Select(doc, x.h.forward).AppendASCII(nil))
		}
	}
	h[names.data] = x.line(0, x.h.encode(data))
	h[names.info] = x.line(1, info(s))
	if flash := s.Flash(); flash != "" {
		h[names.flash] = x.line(2, jsondoc.WithoutSurrogates(flash))
	}
	if marks := h[markHeader]; marks == nil {
		h[markHeader] = x.line(3, x.h.mark)
	} else {
		h[markHeader] = append(slices.Clip(marks), x.h.mark) // another handler's
	}
	x.forwarded = true
	return nil
}

// forwarding is the error of a session that the backend cannot be told of.
func (x *exchange) forwarding(status int, err error) error {
	ref := x.Session.Ref()
	x.h.logger.Error("session not forwarded", zap.String("ref", ref), zap.Error(err))
	return x.fail(status, fmt.Errorf("session %s: %w", ref, err))
}

// line makes a header's value in the i-th place of the exchange.
func (x *exchange) line(i int, value string) []string {
	x.headerRoom[i] = value
	return x.headerRoom[i : i+1 : i+1]
}

const emptyData = "{}"

func (h *Handler) encode(data string) string {
	if !h.base64 {
		return data
	}
	return base64.StdEncoding.EncodeToString(jsondoc.AppendUTF8(nil, []byte(data)))
}

// info is the RFC 9651 dictionary that describes a session. Where the dialect does not say when it began, nor does this.
func info(s *sessionstore.Session) string {
	b := make([]byte, 0, len(`exists, ref="", created=@, expires=@`)+sessionstore.RefLen+2*len("1795318769"))
	b = append(b, `exists, ref="`...)
	b = append(b, s.Ref()...)
	b = append(b, '"')
	if created := s.Created(); !created.IsZero() {
		b = append(b, `, created=@`...)
		b = strconv.AppendInt(b, created.Unix(), 10)
	}
	b = append(b, `, expires=@`...)
	b = strconv.AppendInt(b, s.Expires().Unix(), 10)
	return string(b)
}

// removeForwarded takes the headers back that forward has set.
func (x *exchange) removeForwarded() {
	h, names := x.r.Header, &x.h.names
	delete(h, names.data)
	delete(h, names.info)
	delete(h, names.flash)
	for _, i := range x.h.inject {
		delete(h, i.header)
	}
	if x.forwarded {
		delete(h, markHeader)
	}
	x.withdrawCookies()
}
