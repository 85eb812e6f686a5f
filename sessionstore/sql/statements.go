package sql

import (
	"strconv"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// own is the layout of our own tables.
var own = layout.SQL{Key: "key", Value: "value", Expires: "expires"}

// texts are the statements of a store.
type texts struct {
	get, page, create, sweep string
	columns, unique          string
	table                    []string

	// keyTypes and expiresTypes are the types that these columns may have.
	keyTypes, expiresTypes []string

	// A record is compared by its version, the first bytes of every native record, or as a whole.
	version, whole matching
}

// matching are the statements that expect a certain record.
type matching struct{ replace, delete, touch string }

func newTexts(d *Driver, o *Options) texts {
	table, name := &own, o.Table
	quote := func(name string) string { return string(d.Quote) + name + string(d.Quote) }
	schema, plain := "", name
	if before, after, found := strings.Cut(name, "."); found {
		schema, plain = before, after
	}
	full := quote(plain)
	if schema != "" {
		full = quote(schema) + "." + full
	}
	times, keyTypes, making, order := d.Times, d.Key, d.Table, d.Bytewise
	if o.Layout != nil {
		table, keyTypes, making, order = o.Layout, d.Text, o.Layout.Create[d.Name], "{key}"
	}
	if table.Naive {
		times = d.Naive
	}
	id, next := "", ""
	if o.Sequence != "" {
		id = quote(table.ID) + ", "
		next = strings.ReplaceAll(d.Next, "{sequence}", quote(o.Sequence)) + ", "
	}
	names := strings.NewReplacer(
		"{table}", full, "{index}", quote(plain+"_expires"), "{name}", plain, "{schema}", schema, "{keyname}", table.Key, "{id}", id, "{next}", next,
		"{key}", quote(table.Key), "{value}", quote(table.Value), "{expires}", quote(table.Expires),
	)
	expressions := strings.NewReplacer("{now}", times.Now, "{after}", times.After, "{left}", times.Left, "{begin}", times.Begin)
	text := func(template string) string {
		return d.number(names.Replace(expressions.Replace(expressions.Replace(template))))
	}
	expecting := func(record string) matching {
		const where = ` WHERE {key} = ? AND {expires} > {now} AND `
		return matching{
			replace: text(`UPDATE {table} SET {value} = ?, {expires} = {after}` + where + record),
			delete:  text(`DELETE FROM {table}` + where + record),
			touch:   text(`UPDATE {table} SET {expires} = {after}` + where + record),
		}
	}
	t := texts{
		get: text(`SELECT CASE WHEN ` + d.Size + ` <= ` + strconv.Itoa(sessionstore.MaxValue) + ` THEN {value} END, {left}, ` + d.Size +
			` FROM {table} WHERE {key} = ? AND {expires} > {now}`),
		page: text(`SELECT {key}, CASE WHEN ` + d.Size + ` <= ` + strconv.Itoa(sessionstore.MaxValue) + ` THEN {value} END, {left}, ` + d.Size +
			` FROM {table} WHERE ` + order + ` > ? ORDER BY ` + order + ` LIMIT ?`),
		keyTypes: keyTypes, expiresTypes: times.Types,
		create:  text(d.Create),
		sweep:   text(d.Sweep),
		columns: text(`SELECT {key}, {value}, {expires} FROM {table} WHERE 1 = 0`),
		unique:  text(d.Unique),
		version: expecting(`substr({value}, 1, ` + strconv.Itoa(sessionstore.VersionLen) + `) = ?`),
		whole:   expecting(`{value} = ?`),
	}
	for _, statement := range making {
		t.table = append(t.table, text(statement))
	}
	return t
}

// number numbers the parameters if the database requires that.
func (d *Driver) number(text string) string {
	if !d.Numbered {
		return text
	}
	parts := strings.Split(text, "?")
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// match returns the statements that compare a record, and the bytes to compare.
func (t *texts) match(record []byte) (how *matching, what []byte) {
	if isNative(record) {
		return &t.version, record[:sessionstore.VersionLen]
	}
	return &t.whole, record
}
