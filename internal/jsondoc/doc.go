// Package jsondoc reads and patches the JSON of a session, and finds fields in it.
//
// A [Value] is a canonical text: compact ASCII JSON in which equal strings are equal bytes and
// every number keeps its digits. So reading takes one pass and mostly one copy, the size is known,
// and a change copies the rest of the document as bytes. Values never change. Only a JSON Patch
// splits a document into its items and members, and only along the paths that it names.
//
// Errors contain neither the JSON nor a path in it: session data must not get into logs.
package jsondoc
