// The part of iabgpp-vectors that runs in Node.js: see the script of that name.
"use strict";

const { GppModel, Sections } = require("@iabgpp/cmpapi");
const [version, mode] = process.argv.slice(2);

const US_SECTIONS = [...Sections.SECTION_ID_NAME_MAP].filter(([id]) => id >= 6).sort(([a], [b]) => a - b);
const OPT_OUTS = ["SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut"];

function encode(settings) {
  const model = new GppModel();
  for (const [section, fields] of Object.entries(settings)) {
    for (const [field, value] of Object.entries(fields)) model.setFieldValue(section, field, value);
  }
  return { gpp: model.encode(), sections: model.getSectionIds(), fields: decode(model.encode()) };
}

function decode(string) {
  try {
    return new GppModel(string).toObject();
  } catch (error) {
    return { error: String(error.message) };
  }
}

/** The section's own fields, as the library names them. */
function fieldsOf(section) {
  const model = new GppModel();
  model.setFieldValue(section, section === "uspv1" ? "OptOutSale" : "SaleOptOut", section === "uspv1" ? "N" : 0);
  return model.getSection(section);
}

function* vectors() {
  for (const [id, section] of US_SECTIONS) {
    const name = (what) => `${section}-${what}`;
    if (section === "uspv1") {
      for (const answer of ["Y", "N", "-"]) {
        yield { name: name(answer), ...encode({ uspv1: { Notice: "Y", OptOutSale: answer, LspaCovered: "N" } }) };
      }
      continue;
    }
    const known = fieldsOf(section);
    const has = OPT_OUTS.filter((field) => field in known);
    const notices = Object.fromEntries(Object.keys(known).filter((field) => field.endsWith("Notice")).map((field) => [field, 1]));
    const all = (value) => Object.fromEntries(has.map((field) => [field, value]));
    yield { name: name("nothing-said"), ...encode({ [section]: { ...all(0) } }) };
    yield { name: name("all-out"), ...encode({ [section]: { ...notices, ...all(1) } }) };
    yield { name: name("all-in"), ...encode({ [section]: { ...notices, ...all(2) } }) };
    for (const field of has) {
      yield { name: name(`only-${field}`), ...encode({ [section]: { ...notices, ...all(2), [field]: 1 } }) };
    }
    if ("Gpc" in known) {
      yield { name: name("gpc-alone"), ...encode({ [section]: { ...notices, ...all(2), Gpc: true } }) };
      yield { name: name("gpc-segment-left-out"), ...encode({ [section]: { ...all(2), GpcSegmentIncluded: false } }) };
    }
    const full = {};
    for (const [field, value] of Object.entries(known)) {
      if (Array.isArray(value)) full[field] = value.map((_, index) => index % 3);
      else if (/Notice$|Consents?$|Mode$/.test(field)) full[field] = 2;
    }
    yield { name: name("every-other-field-set"), ...encode({ [section]: { ...full, ...all(1), MspaCoveredTransaction: 1 } }) };
  }
  yield { name: "usnat-v1-all-out", ...encode({ usnat: { Version: 1, SaleOptOut: 1, SharingOptOut: 1, TargetedAdvertisingOptOut: 1, Gpc: true } }) };
  yield { name: "usnat-v1-all-in", ...encode({ usnat: { Version: 1, SaleOptOut: 2, SharingOptOut: 2, TargetedAdvertisingOptOut: 2 } }) };
  const every = Object.fromEntries(US_SECTIONS.map(([, section]) => [section, section === "uspv1" ? { OptOutSale: "N" } : { SaleOptOut: 2 }]));
  yield { name: "every-section", ...encode(every) };
  yield { name: "every-section-one-out", ...encode({ ...every, usri: { SaleOptOut: 1 } }) };
  yield { name: "ranges-and-gaps", ...encode({ uspv1: { OptOutSale: "Y" }, usnat: { SaleOptOut: 1 }, usca: { SharingOptOut: 1 }, usct: { SaleOptOut: 2 }, usnj: { TargetedAdvertisingOptOut: 1 }, ustn: { SaleOptOut: 1 } }) };
}

if (mode === "decode") {
  const strings = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
  process.stdout.write(JSON.stringify(strings.map(decode)) + "\n");
} else {
  const lines = [...vectors()].map((vector) => "  " + JSON.stringify(vector)).join(",\n");
  process.stdout.write(`{\n "source": "npm @iabgpp/cmpapi ${version}",\n "vectors": [\n${lines}\n ]\n}\n`);
}
