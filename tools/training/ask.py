"""Ask questions about passages by rule: python3 ask.py passages.json WORDNET passages.jsonl

Each sentence is parsed (spaCy, en_core_web_sm); its subject, objects, places, dates and names are asked for with the
verb's own words, with adjuncts left out, with synonyms of WordNet's first sense, or in their place ("... in what year?").
Entities are kept with the passage, so that a row can put others in their place. After Heilman and Smith (2010).
"""
import json
import random
import re
import sys

import spacy

R = random.Random(1)
WN = sys.argv[2] + '/'
def wn(pos):
    syn={}
    for l in open(WN+'data.'+pos):
        if l.startswith('  '): continue
        f=l.split(' '); n=int(f[3],16); syn[f[0]]=[f[4+2*i] for i in range(n)]
    d={}
    for l in open(WN+'index.'+pos):
        if l.startswith('  '): continue
        f=l.split(); w=f[0]; k=int(f[2]); p=int(f[3]); offs=f[-k:]
        s=[re.sub(r'\(.*\)','',x) for x in syn[offs[0]]]
        s=[x for x in s if x.lower()!=w and '_' not in x and x.islower()]
        if s and '_' not in w: d[w]=s[:3]
    return d
SYN={'NOUN':wn('noun'),'VERB':wn('verb'),'ADJ':wn('adj')}
def exc(pos):
    d={}
    for l in open(WN+pos+'.exc'):
        f=l.split()
        for b in f[1:]: d.setdefault(b,[]).append(f[0])
    return d
NE,VE=exc('noun'),exc('verb')
def inflect(w,tag):
    if tag in('NNS','VBZ'):
        if tag=='NNS' and w in NE: return NE[w][0]
        return w+'es' if re.search(r'(s|x|z|ch|sh)$',w) else w[:-1]+'ies' if re.search(r'[^aeiou]y$',w) else w+'s'
    if tag in('VBD','VBN'):
        if w in VE: return None
        return w+'d' if w.endswith('e') else w[:-1]+'ied' if re.search(r'[^aeiou]y$',w) else w+'ed'
    if tag=='VBG': return (w[:-1] if w.endswith('e') and not w.endswith('ee') else w)+'ing'
    return w
STOP=set('be have do make go get take come see know use other first many more most new such same own few several'.split())
def synonym(t):
    if t.pos_ in SYN and t.lemma_.lower() not in STOP and t.text.islower():
        s=SYN[t.pos_].get(t.lemma_.lower())
        if s: return inflect(R.choice(s),t.tag_)
SUBJ=('nsubj','nsubjpass'); 
WHO={'PERSON'}; WHERE={'GPE','LOC','FAC'}
def span(doc,toks):
    toks=sorted(toks,key=lambda t:t.i)
    return doc[toks[0].i:toks[-1].i+1] if toks and toks[-1].i-toks[0].i+1==len(toks) else None
def trim(doc,head,stop=()):
    """subtree of head without relative clauses, appositions, and trailing PPs at random"""
    bad=set()
    for c in head.children:
        if c.dep_ in('relcl','appos','acl','advcl','parataxis') or (c.dep_=='punct' and c.i>head.i and c.text in',;:(—-') : bad|={t.i for t in c.subtree}
        if c.dep_=='prep' and c.i>head.i and R.random()<.3: bad|={t.i for t in c.subtree}
        if c.dep_=='prep' and head.dep_ in('pobj','dobj','attr') and c.i>head.i and c.text in('in','on','at','during','for','after','before','since'): bad|={t.i for t in c.subtree}
    ts=[t for t in head.subtree if t.i not in bad]
    # keep the contiguous run around the head
    ids={t.i for t in ts}; lo=hi=head.i
    while lo-1 in ids: lo-=1
    while hi+1 in ids: hi+=1
    while hi>head.i and (doc[hi].is_punct or doc[hi].dep_ in('cc','case') and doc[hi].tag_!='POS' ): hi-=1
    return doc[lo:hi+1]
def text(toks,syn=0,lead=False):
    out=''
    for t in toks:
        if isinstance(t,str): out+=t+' '; continue
        w=t.text
        if syn and R.random()<syn: w=synonym(t) or w
        if t.i==t.sent.start and t.ent_type_=='' and t.pos_!='PROPN' and w!='I': w=w[:1].lower()+w[1:]
        out+=w+t.whitespace_
    return re.sub(r'\s+',' ',out).strip()
def ent(sp):
    r=sp.root
    return r.ent_type_ or next((t.ent_type_ for t in sp if t.ent_type_ in('DATE','PERSON')),'')
def clean(q):
    q=re.sub(r'\s+([,.;:?!)])',r'\1',q); q=re.sub(r'[,;:\s]+\?$','?',q); q=re.sub(r'\s+',' ',q).replace(' ,',',')
    q=re.sub(r'^[,;:\s]+','',q); q=re.sub(r',\s*,',',',q)
    return q[:1].upper()+q[1:]
def wh_np(sp,role):
    """question word for a noun phrase that is subject or object; returns list of alternatives"""
    r=sp.root; e=ent(sp); n=r.lemma_.lower() if r.pos_=='NOUN' else ''
    num=[t for t in r.children if t.dep_=='nummod']
    if r.pos_=='PRON' : return []
    if num and r.tag_=='NNS' : return ['how many '+text([t for t in r.subtree if t.i>=r.i and t.dep_ in(r.dep_,) or t==r])]
    if e=='PERSON': return ['who']*3+['which person','what person']
    if e in('ORG',): return ['who','what','which organization','what organization','which company','what group']
    if e=='NORP': return ['who','which people','what group']
    if e=='GPE': return ['which country','which city','what place','which place','what state','what city','what country']
    if e in('LOC','FAC'): return ['which place','what place','what']
    if e in('DATE',): return ['when','what year','what date'] if role!='s' else ['what year','which date']
    if e in('MONEY','PERCENT','QUANTITY','CARDINAL','ORDINAL'): return ['how much','how many'] if role!='s' else ['how many','what number','what']
    if e in('WORK_OF_ART',): return ['what','which work','what book','what work']
    if e in('EVENT',): return ['what event','which event','what']
    if n:
        if any(t.dep_=='amod' or t.dep_=='compound' for t in r.children) and R.random()<.5 : return [R.choice(('what ','which ','what type of ','what kind of '))+(r.text if r.tag_!='NNS' or True else n)]
        if n in('man','woman','king','queen','author','writer','president','leader','people','member','player','scientist','artist','actor','director','student','child','soldier'): return ['who']
    return ['what']
def wh_prep(p,sp):
    e=ent(sp); t=sp.text.lower(); w=p.text.lower()
    if e in('DATE','TIME'):
        if re.fullmatch(r'(in |the year )*\d{4}',t): return ['when','in what year','in which year','what year','in what year']
        if 'century' in t: return ['when','in what century','in which century']
        return ['when','when',w+' what date'] if w in('in','on','at','during','since','by','from','until') else []
    if e in WHERE and w in('in','at','from','to','near','on','into','throughout','within'):
        return ['where','where',w+' what place',w+' which country',w+' what city','in what country' if w=='in' else w+' what location']
    if e=='PERSON': return ['who',w+' whom',w+' who']
    if e in('PERCENT','MONEY','CARDINAL','QUANTITY'): return [w+' how many',w+' how much']
    if sp.root.pos_=='NOUN' and R.random()<.5: return [w+' '+R.choice(('what ','which '))+sp.root.text]
    return [w+' what']
def verb_parts(v):
    aux=[c for c in v.children if c.dep_ in('aux','auxpass') and c.i<v.i]
    return aux
OPT=('advmod','prep','npadvmod','advcl','appos','relcl','acl','oprd','amod')
def questions(doc,sent):
    out=[]
    if not 6<=len(sent)<=50 or not sent.text[:1].isalnum(): return out
    for v in sent:
        if v.pos_ not in('VERB','AUX') or v.dep_ not in('ROOT','conj','ccomp','relcl','advcl'): continue
        subj=[c for c in v.children if c.dep_ in SUBJ and c.i<v.i]
        if not subj: continue
        s=subj[0]
        relative=False
        if s.pos_=='PRON':
            if v.dep_=='relcl' and s.text.lower() in('who','which','that') and v.head.pos_ in('NOUN','PROPN') :
                relative=True; S=trim(doc,v.head)
                if v.i<=S.end-1: continue
            else: continue
        else: S=trim(doc,s)
        if any(t.dep_=='neg' for t in v.children): continue
        drop=set()
        for c in v.children:
            if c.dep_ in('conj','cc','parataxis','punct','mark','intj','preconj') and not(c.dep_=='punct' and c.text in('"',"'",'(',')','-')) or c.dep_ in('ccomp',) and c.i<v.i: drop|={t.i for t in c.subtree}
        if relative: drop|={s.i}
        else: drop|={t.i for t in s.subtree}
        vt=[t for t in v.subtree if t.i not in drop and t.i not in {k.i for k in S}]
        for variant in range(2):
            d2=set()
            for t in vt:
                if t.dep_ in OPT and t.head.i in {x.i for x in vt} and R.random()<(.15 if variant==0 else .45): d2|={k.i for k in t.subtree}
            base=[t for t in vt if t.i not in d2]
            syn=0 if variant==0 else R.choice((0,.3,.5))
            if v.i not in {t.i for t in base}: continue
            pre=[t for t in base if t.i<S.start and t.i<v.i] if not relative else []
            post=[t for t in base if t.i>=S.start] if not relative else base
            if not 2<=len(post)<=28: continue
            # subject
            ws=wh_np(S,'s')
            if ws and variant==0 or (ws and R.random()<.5):
                w=R.choice(ws); q=w+' '+text(post,syn)
                if pre and R.random()<.6: q=(text(pre).rstrip(',')+', '+q) if R.random()<.5 else q+' '+text(pre).rstrip(',')
                out.append((clean(q+'?'),S,'s'))
            # others
            aux=[a for a in verb_parts(v) if a in post]
            be=v.lemma_=='be' and v.pos_ in('AUX','VERB') and not aux
            subj_t=text(list(S)) if len(S)<9 else text(list(doc[max(S.start,S.root.i-3):S.root.i+1]))
            for c in list(v.children):
                if c.i not in {t.i for t in vt}: continue
                T=None; ws=[]; skip=set()
                if c.dep_ in('dobj','attr','oprd') and c.pos_ in('NOUN','PROPN','NUM'):
                    T=trim(doc,c); ws=wh_np(T,'o'); skip={t.i for t in c.subtree} if R.random()<.7 else {t.i for t in T}
                elif c.dep_ in('prep','agent') :
                    po=[k for k in c.children if k.dep_=='pobj' and k.pos_ in('NOUN','PROPN','NUM')]
                    if po:
                        T=trim(doc,po[0]); ws=wh_prep(c,T)
                        if c.dep_=='agent': ws=['by whom' if ent(T)=='PERSON' else 'by what','who' if ent(T)=='PERSON' else 'what']
                        skip={t.i for t in c.subtree}
                elif c.dep_=='npadvmod' and ent(doc[c.i:c.i+1])in('DATE','TIME'):
                    T=trim(doc,c); ws=['when']; skip={t.i for t in c.subtree}
                if T is None or not ws: continue
                w=R.choice(ws)
                rest=[t for t in post if t.i not in skip and t not in aux and t!=v]
                after=[t for t in rest if t.i>v.i]; before=[t for t in rest if t.i<v.i and t.dep_=='advmod' and R.random()<.5]
                vs=text([v],syn)
                if aux: q=[w,aux[0].text.lower(),subj_t]+[a.text for a in aux[1:]]+[text(before),vs]
                elif be: q=[w,v.text.lower(),subj_t,text(before)]
                elif v.tag_ in('VBD','VBZ','VBP'): 
                    L=v.lemma_
                    if syn and R.random()<.4:
                        s2=SYN['VERB'].get(L)
                        if s2: L=R.choice(s2)
                    q=[w,{'VBD':'did','VBZ':'does','VBP':'do'}[v.tag_],subj_t,text(before),L]
                else: continue
                pv=''
                ww=w.split()
                q=' '.join(x for x in q if x)+' '+text(after,syn)
                if w=='who' and c.dep_ in('prep','agent'): q+=' '+c.text
                if pre and R.random()<.5: q=(text(pre).rstrip(',')+', '+q) if R.random()<.6 else q+' '+text(pre).rstrip(',')
                out.append((clean(q+'?'),T,c.dep_))
                if R.random()<.2:   # in place
                    full=[x for x in base if x not in pre]
                    seq=list(S)+[t for t in post] if not relative else list(S)+post
                    r=[];done=False
                    wp=w if c.dep_!='prep' or w.split()[0]==c.text.lower() or w in('when','where') else c.text+' '+w
                    for t in seq:
                        if t.i in skip:
                            if not done: r.append(wp); done=True
                        else: r.append(t)
                    if done: out.append((clean(text(r,syn)+'?'),T,'inplace'))
    # entities that no rule reached: in-place question over the sentence or its half
    for e in sent.ents:
        if R.random()<.35 and e.label_ in('PERSON','GPE','DATE','ORG','CARDINAL','MONEY','PERCENT','QUANTITY','LOC','NORP','EVENT','WORK_OF_ART'):
            w={'PERSON':['who','which person','what man'],'GPE':['which place','what country','what city','where'],'LOC':['what place'],'DATE':['what year','when','what date'],'ORG':['which organization','what company','what group'],'CARDINAL':['how many'],'MONEY':['how much','how much money'],'PERCENT':['what percentage','what percent'],'QUANTITY':['how much'],'NORP':['which people','what group'],'EVENT':['which event'],'WORK_OF_ART':['which work']}[e.label_]
            lo=max(sent.start,e.start-R.randint(3,14)); hi=min(sent.end,e.end+R.randint(3,14))
            a=[t for t in doc[lo:e.start]]; b=[t for t in doc[e.end:hi]]
            while b and (b[-1].is_punct or b[-1].pos_ in('DET','ADP','CCONJ')): b=b[:-1]
            while a and (a[0].is_punct or a[0].pos_ in ('CCONJ',)): a=a[1:]
            syn=R.choice((0,0,.3))
            q=text(a,syn)+' '+R.choice(w)+' '+text(b,syn)
            if len(a)+len(b)>=4: out.append((clean(q+'?'),e,'cloze'))
    res=[]
    for q,T,k in out:
        a=T.text.strip()
        if not 8<len(q)<190 or not 1<len(a)<80: continue
        if a.lower() in q.lower() or '\n' in a or q.count('"')%2 or q.count('(')!=q.count(')'): continue
        if len(q.split())<4: continue
        res.append((q,a,T.start_char,k))
    R.shuffle(res); return res[:7]


def main():
    nlp = spacy.load("en_core_web_sm")
    items = json.load(open(sys.argv[1]))
    with open(sys.argv[3], "w") as f:
        for doc, o in nlp.pipe(((o["text"][:6000], o) for o in items), as_tuples=True, batch_size=64):
            asked = [(q, a) for s in doc.sents for q, a, *_ in questions(doc, s)]
            names = [(e.start_char, e.end_char, e.label_) for e in doc.ents]
            f.write(json.dumps({**o, "text": doc.text, "syn": asked, "ents": names}) + "\n")


if __name__ == "__main__":
    main()
