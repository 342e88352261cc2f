package nn

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"syntic/tensor/graph"
	"syntic/weights"
)

// Each calls f with every parameter below root, in the order of the fields, and
// the name its `w:"…"` tags spell: fields of structs are joined by dots,
// elements of slices by their index. Fields without a tag and nil pointers are
// skipped; the tag "" adds nothing to the name.
//
// It panics when root isn't made of structs, pointers, slices and *graph.Param.
func Each(root any, prefix string, f func(name string, p *graph.Param)) {
	each(reflect.ValueOf(root), prefix, f)
}

func each(v reflect.Value, name string, f func(string, *graph.Param)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if p, ok := v.Interface().(*graph.Param); ok {
			f(name, p)
			return
		}
		each(v.Elem(), name, f)
	case reflect.Struct:
		for i := range v.NumField() {
			if tag, ok := v.Type().Field(i).Tag.Lookup("w"); ok {
				each(v.Field(i), join(name, tag), f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			each(v.Index(i), join(name, strconv.Itoa(i)), f)
		}
	default:
		panic(fmt.Sprintf("nn: %s: a field of kind %v can't hold parameters", name, v.Kind()))
	}
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// List returns the name and shape of every parameter below root: what a
// checkpoint must hold.
func List(root any, prefix string) []weights.Info {
	var list []weights.Info
	Each(root, prefix, func(name string, p *graph.Param) {
		list = append(list, weights.Info{Name: name, Shape: p.Shape})
	})
	return list
}

// Load fills every parameter below root from src, names being prefixed as in
// Each. The values stay views of src until a device packs them, so src must
// stay open until then. One error lists all missing, unexpected and mis-shaped
// names.
func Load(root any, prefix string, src weights.Source) error {
	if err := weights.Check(src, List(root, prefix)); err != nil {
		return err
	}
	return fill(root, prefix, src)
}

// LoadPart is Load for a file that holds more than root: names that root
// doesn't know are left alone.
func LoadPart(root any, prefix string, src weights.Source) error {
	err := weights.Check(src, List(root, prefix))
	var check *weights.CheckError
	if errors.As(err, &check) {
		if len(check.Missing)+len(check.Misshaped) > 0 {
			check.Unexpected = nil
			return check
		}
	} else if err != nil {
		return err
	}
	return fill(root, prefix, src)
}

// fill gives every parameter its tensor, once the names and shapes are checked;
// it reports every one of a type that can't be a weight.
func fill(root any, prefix string, src weights.Source) error {
	var errs []error
	Each(root, prefix, func(name string, p *graph.Param) {
		info, err := src.Get(name)
		if err == nil {
			p.Name = name
			err = p.Load(info)
		}
		errs = append(errs, err)
	})
	return errors.Join(errs...)
}
