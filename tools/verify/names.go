package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/nn"
	"syntic/weights"
)

// names checks the lists of published names against what our models want, and
// the maps between namings row by row.
func (s *suite) names(ctx context.Context, report func(Result)) error {
	files, err := filepath.Glob(s.path("NAMES") + "/*.json")
	if err != nil {
		return err
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		id := "names/" + name
		if !s.selected(id) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		switch {
		case err != nil:
		case strings.HasPrefix(name, "map."):
			err = checkMap(name, data)
		default:
			err = s.checkList(name, data)
		}
		report(exactly(id, err))
	}
	return nil
}

// maps are the name maps by their golden's name; a single-file Stable Diffusion
// has one per component.
func nameMap(name, component string) (weights.NameMap, error) {
	m, ok := map[string]weights.NameMap{
		"map.openai-clip-to-hf/":            weights.OpenAICLIP,
		"map.detr-original-to-hf/":          weights.DETROriginal,
		"map.detr-no_timm-to-timm/":         weights.DETRNoTimm,
		"map.transformers5-to-published/":   weights.Transformers5,
		"map.vae-deprecated-to-diffusers/":  weights.VAEDeprecated,
		"map.ldm-to-diffusers/unet":         weights.LDMUNet,
		"map.ldm-to-diffusers/vae":          weights.LDMVAE,
		"map.ldm-to-diffusers/text_encoder": weights.LDMText,
	}[name+"/"+component]
	if !ok {
		return m, fmt.Errorf("the map %s %s isn't built yet", name, component)
	}
	return m, nil
}

// checkMap compares every row: [from, to], [from, [to…], op] or [from,
// component, to, op].
func checkMap(name string, data []byte) error {
	var file struct {
		Pairs [][]json.RawMessage `json:"pairs"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	if len(file.Pairs) == 0 {
		return fmt.Errorf("the map has no rows")
	}
	for i, row := range file.Pairs {
		r, err := parseRow(row)
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		m, err := nameMap(name, r.component)
		if err != nil {
			return err
		}
		to, op := m.Map(r.from)
		if !slices.Equal(to, r.to) || op.String() != r.op {
			return fmt.Errorf("row %d: %s is read as %v by %v, want %v by %s", i, r.from, to, op, r.to, r.op)
		}
	}
	return nil
}

type mapRow struct {
	from, component, op string
	to                  []string
}

func parseRow(row []json.RawMessage) (mapRow, error) {
	r := mapRow{op: "copy"}
	if len(row) < 2 || len(row) > 4 {
		return r, fmt.Errorf("%d columns, want 2 to 4", len(row))
	}
	fields := [][]any{{&r.from, &r.to}, {&r.from, &r.to, &r.op}, {&r.from, &r.component, &r.to, &r.op}}[len(row)-2]
	for i, dst := range fields {
		text := row[i]
		if dst == any(&r.to) && text[0] != '[' {
			text = slices.Concat([]byte("["), text, []byte("]"))
		}
		if err := json.Unmarshal(text, dst); err != nil {
			return r, err
		}
	}
	return r, nil
}

// listed says which models a list of names must satisfy.
var listed = map[string][]string{
	"clip-vit-base-patch32.hf":      {weights.FamilyCLIP},
	"clip-vit-b32.openai":           {weights.FamilyCLIP},
	"sd15-text-encoder.hf":          {weights.FamilyText},
	"detr-resnet-50.hf-timm":        {weights.FamilyDETR},
	"detr-resnet-50.hf-no_timm":     {weights.FamilyDETR},
	"detr-r50.original":             {weights.FamilyDETR},
	"decap.decoder":                 {weights.FamilyDecoder},
	"sd15-unet.diffusers":           {weights.FamilyUNet},
	"sd15-vae.diffusers":            {weights.FamilyVAE},
	"sd15-vae.diffusers-deprecated": {weights.FamilyVAE},
	"sd15-single-file.ldm":          {weights.FamilyUNet, weights.FamilyVAE, weights.FamilyText},
}

// wanted returns the names and shapes that our model of a family wants, at the
// published size.
func (s *suite) wanted(family string) ([]weights.Info, error) {
	config, root := "", func([]byte) (any, error) { return nil, nil }
	switch family {
	case weights.FamilyCLIP:
		config, root = "openai_clip-vit-base-patch32", newCLIP
	case weights.FamilyText:
		config, root = "stable-diffusion-v1-5/text_encoder", newText
	case weights.FamilyDETR:
		config, root = "facebook_detr-resnet-50", newDETR
	case weights.FamilyUNet:
		config, root = "stable-diffusion-v1-5/unet", newUNet
	case weights.FamilyVAE:
		config, root = "stable-diffusion-v1-5/vae", newVAE
	case weights.FamilyDecoder:
		config, root = "decap", newDecap
	default:
		return nil, fmt.Errorf("the model %s isn't built yet", family)
	}
	data, err := os.ReadFile(s.path("configs/" + config + "/config.json"))
	if err != nil {
		return nil, err
	}
	m, err := root(data)
	if err != nil {
		return nil, err
	}
	return nn.List(m, ""), nil
}

// checkList reads a list under the canonical names and compares it with what
// the models want: no name missing, left over or of another shape.
func (s *suite) checkList(name string, data []byte) error {
	families, ok := listed[name]
	if !ok {
		return fmt.Errorf("the naming %s isn't built yet", name)
	}
	var file struct {
		Tensors []struct {
			Name  string `json:"name"`
			Shape []int  `json:"shape"`
			DType string `json:"dtype"`
			Extra bool   `json:"extra"`
		} `json:"tensors"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	src := nameList{}
	for _, t := range file.Tensors {
		d, ok := weights.ParseDType(t.DType)
		if !ok {
			return fmt.Errorf("%s has the unknown type %s", t.Name, t.DType)
		}
		if t.Extra && !weights.Ignorable(t.Name) {
			return fmt.Errorf("%s must be ignored", t.Name)
		}
		src[t.Name] = weights.Info{Name: t.Name, Shape: t.Shape, DType: d}
	}
	for _, family := range families {
		want, err := s.wanted(family)
		if err != nil {
			return err
		}
		want, blank := unlisted(want)
		for _, b := range blank {
			if _, ok := src[b.Name]; ok {
				want = append(want, b)
			}
		}
		if err := weights.Check(weights.Canonical(src, family), want); err != nil {
			return err
		}
	}
	return nil
}

// nameList is a checkpoint of names and shapes without data.
type nameList map[string]weights.Info

// Names implements weights.Source.
func (l nameList) Names() []string {
	names := make([]string, 0, len(l))
	for n := range l {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Get implements weights.Source.
func (l nameList) Get(name string) (weights.Info, error) {
	t, ok := l[name]
	if !ok {
		return t, fmt.Errorf("%q: %w", name, weights.ErrNotFound)
	}
	t.Shape = slices.Clone(t.Shape)
	return t, nil
}

// Close implements weights.Source.
func (l nameList) Close() error { return nil }
