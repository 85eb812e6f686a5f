package parts

// Late forwards the URL at which the app can still change the session when the head of its response
// has gone. What the app sets under this name is ignored.
type Late struct{ Header string }

// Forward implements [Part].
func (p *Late) Forward(v *View, to *Forwarded) error {
	if v.Late != "" {
		to.Header(p.Header, v.Late)
	}
	return nil
}

// Takes implements [Part].
func (p *Late) Takes() string { return p.Header }

// Take implements [Part].
func (*Late) Take(*View, []string, *Answer) error { return nil }

// Interface guard
var _ Part = (*Late)(nil)
