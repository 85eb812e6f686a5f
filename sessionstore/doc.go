// Package sessionstore keeps server-side sessions, for any Go program.
//
// A [Manager] loads sessions from a [Store] and commits changes to them. A change says what is
// different and not what the session is, so parallel changes are merged and none is lost. A session
// that has ended never returns. Package httpsession has a middleware for net/http; the stores are
// in the folders beside it, and package storetest holds a store to its contract.
package sessionstore
