/** Templates as Jinja reads them: statements. */
import { blockText, type Expression, type MacroNode, Names, type Statement, type Target } from "./ast.ts";
import { ExpressionParser } from "./expressions.ts";
import { normalised, tokenize } from "./lexer.ts";

/** A parsed template. */
export interface Program {
  readonly body: readonly Statement[];
  readonly scope: Names;
}

/** @throws Fault for what is no template, or nests too deep */
export function parse(source: string): Program {
  const text = normalised(source);
  return new Parser(text, tokenize(text)).parse();
}

/** Statements that Jinja knows and that need other templates or change how values are written. */
const unsupported = ["extends", "block", "include", "import", "from", "autoescape"];

class Parser extends ExpressionParser {
  /** Loops around this place that `break` would leave, and all of them. */
  #loops = 0;
  #allLoops = 0;

  parse(): Program {
    const { scope } = this;
    return { body: this.#statements([]), scope };
  }

  /** Statements up to one of the given tags, whose name is the current token then. */
  #statements(ends: readonly string[]): Statement[] {
    const body: Statement[] = [];
    let output: Expression[] = [];
    const flush = () => {
      if (output.length > 0) body.push({ type: "output", nodes: output });
      output = [];
    };
    this.deeper(() => {
      for (;;) {
        const token = this.next();
        if (token.type === "data") output.push({ type: "constant", value: token.text });
        else if (token.type === "variable_begin") {
          output.push(this.tuple());
          this.expect("variable_end");
        } else if (token.type === "block_begin") {
          flush();
          if (this.current.type === "name" && ends.includes(this.current.text)) return;
          body.push(this.#statement());
          this.expect("block_end");
        } else if (ends.length === 0) return flush();
        else this.fail(`unexpected end of template, expected ${ends.join(" or ")}`);
      }
    });
    return body;
  }

  /** The body of a statement, up to one of the given tags, which is passed. @returns the tag */
  #body(ends: readonly string[]): [body: Statement[], end: string] {
    this.skip(":");
    this.expect("block_end");
    const body = this.#statements(ends);
    return [body, this.next().text];
  }

  /** A body with variables of its own. @param open parses what belongs to the scope before the body */
  #scoped<T>(open: () => T): [scope: Names, result: T] {
    const { scope } = this;
    const inner = new Names(scope);
    this.scope = inner;
    const result = open();
    this.scope = scope;
    return [inner, result];
  }

  #statement(): Statement {
    const { text } = this.expect("name");
    switch (text) {
      case "for":
        return this.#for();
      case "if":
        return this.#if();
      case "set":
        return this.#set();
      case "macro": {
        const name = this.expect("name").text;
        this.#assigned({ type: "name", name });
        return { type: "macro", macro: this.#macro(name, true, "endmacro") };
      }
      case "call": {
        // The parameters belong to the scope of the block, though they stand before the call.
        const parameters = this.current.type === "(";
        const [scope, signature] = this.#scoped(() => (parameters ? this.#signature() : { names: [], defaults: [] }));
        const call = this.expression();
        if (call.type !== "call") return this.fail("expected call");
        return { type: "callBlock", call, macro: this.#macroBody("caller", scope, signature, "endcall") };
      }
      case "generation":
        return { type: "generation", macro: this.#macro("caller", false, "endgeneration") };
      case "filter": {
        const filter = this.filters({ type: "name", name: blockText }, true);
        const [scope, [body]] = this.#scoped(() => this.#body(["endfilter"]));
        return { type: "filterBlock", filter, body, scope };
      }
      case "with":
        return this.#with();
      case "print": {
        const nodes: Expression[] = [];
        while (this.current.type !== "block_end") {
          if (nodes.length > 0) this.expect(",");
          nodes.push(this.expression());
        }
        return { type: "output", nodes };
      }
      case "break":
      case "continue":
        if (this.#loops === 0) return this.fail(`'${text}' outside loop`);
        return { type: text };
    }
    if (unsupported.includes(text)) return this.fail(`the tag '${text}' is not supported`);
    return this.fail(`encountered unknown tag '${text}'`);
  }

  #for(): Statement {
    const outer = this.scope;
    const [loops, allLoops] = [this.#loops, this.#allLoops];
    this.#allLoops++;
    const scope = new Names(outer);
    const target = this.target(["in"], false);
    this.expectName("in");
    const source = this.tuple(false, ["recursive"]);
    const declare = (names: Names, one: Target): void => {
      if (one.type === "name") {
        if (one.name === "loop") this.fail("can't assign to special loop variable in for-loop target");
        names.parameter(one.name);
      } else if (one.type === "tuple") for (const item of one.items) declare(names, item);
    };
    const testScope = new Names(outer);
    let test: Expression | undefined;
    if (this.skipName("if")) {
      declare(testScope, target);
      this.scope = testScope;
      test = this.expression();
    }
    const isRecursive = this.skipName("recursive");
    scope.parameter("loop");
    declare(scope, target);
    this.scope = scope;
    this.#loops++;
    const [body, end] = this.#body(["endfor", "else"]);
    const otherwiseScope = new Names(outer);
    this.scope = otherwiseScope;
    this.#loops = isRecursive ? 0 : loops;
    const otherwise = end === "else" ? this.#body(["endfor"])[0] : [];
    this.scope = outer;
    [this.#loops, this.#allLoops] = [loops, allLoops];
    return { type: "for", target, source, test, isRecursive, body, scope, testScope, otherwise, otherwiseScope };
  }

  #if(): Statement {
    const branches: [Expression, Statement[]][] = [];
    let otherwise: Statement[] = [];
    for (let end = "elif"; end !== "endif"; ) {
      if (end === "else") {
        [otherwise, end] = this.scope.branch(() => this.#body(["endif"]));
        continue;
      }
      const test = this.tuple(false);
      const [body, next] = this.scope.branch(() => this.#body(["elif", "else", "endif"]));
      branches.push([test, body]);
      end = next;
    }
    return { type: "if", branches, otherwise };
  }

  #set(): Statement {
    const target = this.target([], true);
    if (this.skip("=")) {
      const value = this.tuple();
      this.#assigned(target);
      return { type: "set", target, value };
    }
    this.#assigned(target);
    const [scope, [filter, body]] = this.#scoped(() => {
      const chain = this.current.type === "|" ? this.filters({ type: "name", name: blockText }, false) : undefined;
      return [chain, this.#body(["endset"])[0]] as const;
    });
    return { type: "setBlock", target, filter, body, scope };
  }

  /** Notes that a target is set in this scope. */
  #assigned(target: Target): void {
    if (target.type === "tuple") for (const item of target.items) this.#assigned(item);
    else if (target.type === "attribute") this.read(target.name);
    else {
      if (target.name === "loop" && this.#allLoops > 0)
        this.fail("can't assign to special loop variable in for-loop target");
      this.scope.set(target.name);
    }
  }

  #with(): Statement {
    const targets: Target[] = [];
    const values: Expression[] = [];
    const [scope, [body]] = this.#scoped(() => {
      const inner = this.scope;
      while (this.current.type !== "block_end") {
        if (targets.length > 0) this.expect(",");
        const target = this.target([], false);
        if (target.type === "name") inner.parameter(target.name);
        targets.push(target);
        this.expect("=");
        this.scope = inner.parent!;
        values.push(this.expression());
        this.scope = inner;
      }
      return this.#body(["endwith"]);
    });
    return { type: "with", targets, values, body, scope };
  }

  #macro(name: string, hasSignature: boolean, end: string): MacroNode {
    const [scope, signature] = this.#scoped(() => (hasSignature ? this.#signature() : { names: [], defaults: [] }));
    return this.#macroBody(name, scope, signature, end);
  }

  #macroBody(
    name: string,
    scope: Names,
    { names, defaults }: { names: string[]; defaults: Expression[] },
    end: string,
  ): MacroNode {
    const [outer, loops, used] = [this.scope, this.#loops, this.specialNames];
    const special = new Set<string>();
    this.specialNames = special;
    this.scope = scope;
    this.#loops = 0;
    const [body] = this.#body([end]);
    this.specialNames = used;
    // What a macro inside this one uses, this one has to take as well.
    for (const one of special) used.add(one);
    this.scope = outer;
    this.#loops = loops;
    for (const one of names) if (one !== "caller") special.delete(one);
    if (names.includes("caller")) {
      const missing = names.length - defaults.length;
      if (special.delete("caller") && names.indexOf("caller") < missing)
        this.fail('the special "caller" argument must be omitted or be given a default');
    }
    for (const one of special) scope.parameter(one);
    return { name, parameters: names, defaults, body, scope, special };
  }

  /** The parameters of a macro or a call's block. */
  #signature(): { names: string[]; defaults: Expression[] } {
    const names: string[] = [];
    const defaults: Expression[] = [];
    this.expect("(");
    while (this.current.type !== ")") {
      if (names.length > 0) this.expect(",");
      const name = this.expect("name").text;
      this.scope.parameter(name);
      if (this.skip("=")) defaults.push(this.expression());
      else if (defaults.length > 0) this.fail("non-default argument follows default argument");
      names.push(name);
    }
    this.expect(")");
    return { names, defaults };
  }
}
