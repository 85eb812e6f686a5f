package sessionstore

import "unsafe"

// borrow returns b as a string without copying it. A store's values never change (see [Entry]), so
// a string that shares their bytes does not either; it spares the read path a copy of the whole
// session.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// lend is the other way round: nobody changes the bytes of a record.
func lend(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
